"""Requests that nobody sends in good faith, byte for byte as they go over the line.

The list began as what BentoML 1.4.39 without a gate answered with 200 or 500: pickles, media types
that are ignored, forms, keys that come twice, deep nesting, bad UTF-8, bodies without end.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from serving.doors import BATCH, DOORS, SINGLE, Door

PICKLE = b"cposix\nsystem\n(S'touch /tmp/seedrate-was-here'\ntR."
TYPES = (
    "",
    "application/vnd.bentoml+pickle",
    "application/vnd.bentoml+pickle; charset=utf-8",
    "APPLICATION/VND.BENTOML+PICKLE",
    "application/json, application/vnd.bentoml+pickle",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/xml",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + 5000 * "x",
    "text/plain",
    "\xff\xfe",
)
PATHS = (
    "/",
    "//",
    "/docs.json",
    "/healthz",
    "/static_content/swagger-ui.css",
    "/quote/submit",
    "/v1/quotes/",
    "/v1/quotes/x",
    "/v1/quotes/../../etc/passwd",
    "/v1/quotes/%2e%2e/%2e%2e/etc/passwd",
    "/v1/quotes/..%5c..%5cwindows",
    "/v1/quotes/%00",
    "/v1/quotes/\xff",
    "/v1/quotes/017f22e2-79b0-7cc3-98c4-dc0c0c07398f'--",
    "/v1/keys/" + 5000 * "k",
    "/v1/keys/%27%20OR%201=1--",
    "/v1/tile/0/x999999999999999999999999/999",
    "/v1/tile/99999999999999999999/000",
    "/v1/tile/-1/000",
    "/livez?x=1",
    "http://169.254.169.254/latest/meta-data",
    "*",
)
HEADERS = (
    "Host: evil.example",
    "Host: localhost.evil.example",
    "Host: localhost@evil.example",
    "Host: ",
    "Host: localhost\r\nHost: localhost",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Payload-Container: x",
    "Buffer-Lengths: 1,2",
    "Transfer-Encoding: chunked",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Content-Length: 1\r\nContent-Length: 2",
    "Expect: 100-continue",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==",
    "Accept: text/html",
    "Accept: " + 2000 * "a/b,",
    "Authorization: Basic dXNlcjpwYXNz",
    "Authorization: Bearer " + 8000 * "x",
    "Authorization: Bearer sr_live_0000000000000000",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    "Idempotency-Key: a b",
    "Idempotency-Key: " + 201 * "k",
    "Idempotency-Key: k#0",
    "X: " + 70_000 * "x",
    "X:y\r\n" * 2000 + "X: y",
    "X\x00: y",
)
RUBBISH = (
    b"\x00\xff\x00\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + 200 * b"\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"A" * 70_000 + b"\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n\x16\x03\x01rubbish\r\n\r\n",
)


@dataclass(frozen=True)
class Ask:
    """One request, whole or not."""

    what: str
    line: bytes = field(repr=False)
    good: bool = False  # it may be granted


def bodies(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Give bodies that are no request, made of one that is."""
    yield "empty", b""
    yield "half", good[: len(good) // 2]
    yield "a pickle", PICKLE
    yield "zipped", zlib.compress(good)
    yield "UTF-16", good.decode().encode("utf-16")
    yield "a byte order mark", b"\xef\xbb\xbf" + good
    yield "bad UTF-8", good.replace(b'{"', b'{"\xff', 1)
    yield "an overlong slash", good.replace(b'{"', b'{"\xc0\xaf', 1)
    yield "a null byte", good[:-1] + b',"\x00":1}'
    yield "a lone surrogate", good[:-1] + b',"reference":"\\ud800"}'
    yield "a key twice", good[:-1] + b',"project":{}}'
    yield "a prototype", good[:-1] + b',"__proto__":{"x":1},"__class__":1}'
    yield "deep lists", b"[" * 60_000
    yield "deep lists, closed", b"[" * 30_000 + b"]" * 30_000
    yield "deep objects", b'{"a":' * 12_000 + b"1" + b"}" * 12_000
    yield "many keys", b"{" + b",".join(b'"k%d":0' % n for n in range(6000)) + b"}"
    yield "one long number", b'{"a":' + b"9" * 60_000 + b"}"
    yield "one long text", b'{"a":"' + b"x" * 60_000 + b'"}'
    yield "a comment", b"/* x */" + good
    yield "NaN", b'{"project":{"capital_usd":NaN}}'
    yield "infinity", b'{"project":-Infinity}'
    yield "1e999", b'{"project":{"capital_usd":1e999}}'
    for plain in (b"null", b"true", b"0", b"-0", b'""', b"[]", b"{}", b"[{}]", b'{"quotes":[]}'):
        yield plain.decode(), plain
    yield "501 of a batch", b'{"quotes":[' + b",".join([b"{}"] * 501) + b"]}"
    yield "500 lists", b'{"quotes":[' + b",".join([b"[[[[1]]]]"] * 500) + b"]}"
    yield "64 KiB and a byte", b" " * (SINGLE + 1)
    yield "2 MiB and a byte", b" " * (BATCH + 1)


def asks(credential: str, good: bytes) -> list[Ask]:
    """Return all of them.

    Args:
        credential: a key that may everything: hostile is what comes with it.
        good: the body of a sound request.
    """
    line = Line(credential)
    posts = [door for door in DOORS if door.most_bytes]
    made = [Ask(f"rubbish {at}", one, good=at == 7) for at, one in enumerate(RUBBISH)]
    for path in PATHS:
        made += [Ask(f"{method} {path}", line(method, path)) for method in ("GET", "HEAD")]
        made.append(Ask(f"POST {path}", line("POST", path, good)))
    for door in posts:
        made += [
            Ask(f"{what} to {door.path}", line("POST", door.path, body), what == "500 lists")
            for what, body in bodies(good)
        ]
        made += [
            Ask(f"{kind[:40]!r} to {door.path}", line("POST", door.path, PICKLE, kind=kind))
            for kind in TYPES
        ]
        made += [
            Ask(f"{more[:40]!r} to {door.path}", line("POST", door.path, good, more), good=True)
            for more in HEADERS
        ]
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        made += [Ask(f"{method} {door.path}", line(method, _at(door))) for door in DOORS]
    return made


def halves(credential: str, good: bytes) -> list[Ask]:
    """Return requests of which the rest never comes."""
    line = Line(credential)
    whole = line("POST", "/v1/quotes", good)
    head, _, _ = whole.partition(b"\r\n\r\n")
    chunked = line("POST", "/v1/quotes", b"", "Transfer-Encoding: chunked")
    return [
        Ask("nothing", b""),
        Ask("a line", whole[:20]),
        Ask("half a head", head[:100]),
        Ask("a head", head + b"\r\n\r\n"),
        Ask("half a body", whole[:-200]),
        Ask("all but a byte", whole[:-1]),
        Ask("half a chunk", chunked + b"ff\r\n{"),
        Ask("one good request and half of the next", whole + head[:50], good=True),
    ]


@dataclass(frozen=True)
class Line:
    """Writes requests."""

    credential: str

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        more: str = "",
        kind: str = "application/json",
    ) -> bytes:
        """Return a request; what `more` says of a header holds in the place of the usual."""
        own = {line.partition(":")[0].lower() for line in more.split("\r\n")}
        usual = {
            "Host": "localhost",
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Authorization": f"Bearer {self.credential}",
            "Idempotency-Key": "KEY",
        }
        if "transfer-encoding" in own:
            own.add("content-length")
        out = io.BytesIO()
        out.write(f"{method} {path} HTTP/1.1\r\n".encode("latin-1"))
        for name, value in usual.items():
            if name.lower() not in own and value:
                out.write(f"{name}: {value}\r\n".encode("latin-1"))
        out.write(f"{more}\r\n".encode("latin-1") if more else b"")
        return out.getvalue() + b"\r\n" + body


def _at(door: Door) -> str:
    """Return some address of a door."""
    some = {"quote_id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "key": "k", "level": "0"}
    return door.path.format_map({**some, "index": "x999/999"})
