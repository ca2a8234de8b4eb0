"""A caller of a server over HTTP, for programs of a bank and for `python -m serving ask`."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote as quoted
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from pricing.errors import InputError
from serving.client.patience import Patience, retry_after
from serving.client.refusals import NoAnswerError, ProblemError
from serving.client.replies import Checkpoint, Quote, Receipt
from serving.client.witness import Witness

Credential = str | Callable[[], str]  # a key, or who gives a fresh token for each attempt
Body = Mapping[str, Any] | bytes
REPLAYED = "Idempotent-Replayed"
PLAIN = {"Accept": "*/*", "Accept-Encoding": "identity"}
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Client:
    """Speaks to one server; threads may share it.

    A request is sent again, byte for byte and under the same Idempotency-Key, when nobody answered,
    when a key is still in use, and on 429, 502, 503 and 504; never on another refusal.
    """

    url: str
    key: Credential = field(default="", repr=False)  # "": public addresses only
    patience: Patience = field(default=Patience(), repr=False)
    timeout_seconds: float = 15.0  # of an attempt; the server's own is 10
    tls: ssl.SSLContext | None = field(default=None, repr=False)  # own roots, a client certificate
    witness: Witness | None = field(default=None, repr=False)
    _http: httpx.Client = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no http address, and open no connection yet."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError.of("URL", "http://... or https://...", repr(self.url))
        object.__setattr__(self, "_http", self._opened())

    def quote(self, request: Body, key: str | None = None) -> Quote:
        """Price, explain and record one project.

        Args:
            request: as docs/api.md says; bytes are sent as they are.
            key: its Idempotency-Key: the same again for a retry of yours; None is a fresh one.

        Raises:
            ProblemError: it was refused.
            NoAnswerError: nobody answered in time; ask again under the key that it names.
        """
        named = key or str(uuid4())
        answer = self._ask("POST", "/v1/quotes", _sent(request), named)
        return Quote(answer.content, named, answer.headers.get(REPLAYED) == "true")

    def batch(
        self, requests: Sequence[Mapping[str, Any]], key: str | None = None
    ) -> list[Quote | ProblemError]:
        """Price up to 500 projects; each has its own quote or refusal, in order.

        Args:
            requests: each as for `quote`.
            key: of the batch; request i has the key with #i behind it.
        """
        named = key or str(uuid4())
        answer = self._ask("POST", "/v1/quotes/batch", _sent({"quotes": [*requests]}), named)
        again = answer.headers.get(REPLAYED) == "true"
        return [
            Quote(body, f"{named}#{at}", again)
            if "quote" in one
            else ProblemError(one["status"], one["problem"])
            for at, (one, body) in enumerate(_results(answer.content.decode()))
        ]

    def what_if(self, request: Body) -> Quote:
        """Price and explain without recording."""
        return Quote(self._ask("POST", "/v1/what-if", _sent(request)).content)

    def recorded(self, quote_id: str) -> Quote:
        """Return a recorded quote, byte for byte."""
        return Quote(self.get(f"/v1/quotes/{quoted(quote_id, safe='')}"))

    def by_key(self, key: str) -> Quote | None:
        """Return what is recorded under an Idempotency-Key; None: nothing is."""
        try:
            return Quote(self.get(f"/v1/keys/{quoted(key, safe='')}"), key, replayed=True)
        except ProblemError as refused:
            if refused.code == "key_not_found":
                return None
            raise

    def receipt(self, quote: Quote) -> Receipt:
        """Return the proof of a quote; a witness verifies it, and that the reply is the one it has.

        Raises:
            ProofError: it does not hold.
        """
        body = self.get(f"/v1/quotes/{quoted(str(quote.quote_id), safe='')}/receipt")
        verified = self.witness.receipt(body, quote.body) if self.witness else None
        return Receipt(body, verified)

    def checkpoint(self) -> Checkpoint:
        """Return size and root of the log; a witness verifies that the log has only grown.

        Raises:
            ProofError: it was shortened or rewritten since the last time, or is signed by another.
        """
        note = self.get("/v1/checkpoint").decode()
        if self.witness is None:
            return Checkpoint.parse(note)
        return self.witness.checkpoint(note, lambda path: self.get(f"/v1/{path}"))

    def model(self) -> Mapping[str, Any]:
        """Return the card of the model that serves, and the policy."""
        return _read(self.get("/v1/model"))

    def columns(self) -> Mapping[str, Any]:
        """Return the data dictionary: what may be sent of a project."""
        return _read(self.get("/v1/columns"))

    def get(self, path: str) -> bytes:
        """Return what is at an address."""
        return self._ask("GET", path).content

    def wait_ready(self, seconds: float) -> str:
        """Wait until quotes can be made; return why not, or an empty string."""
        until = time.monotonic() + seconds
        with self._opened() as http:
            while True:
                why = self._why_not_ready(http)
                if not why or time.monotonic() >= until:
                    return why
                time.sleep(0.25)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def __enter__(self) -> Client:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the connections go."""
        self.close()

    def _opened(self) -> httpx.Client:
        # A key goes to the server it was meant for, and to none that this one names.
        return httpx.Client(
            base_url=self.url, verify=self.tls or True, follow_redirects=False, headers=PLAIN
        )

    def _why_not_ready(self, http: httpx.Client) -> str:
        try:
            answer = http.get("/readyz", timeout=5)
        except httpx.TransportError as error:
            return f"nobody answers at {self.url}: {error}"
        return "" if answer.is_success else ProblemError.of(answer).detail

    def _ask(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> httpx.Response:
        """Return the answer; ask again as long as that is safe and may help."""
        until = self.patience.now() + self.patience.seconds
        for attempt in count():
            left = until - self.patience.now() if attempt else self.timeout_seconds
            failed: ProblemError | NoAnswerError
            try:
                answer = self._send(method, path, body, key, min(left, self.timeout_seconds))
            except httpx.TransportError as error:
                failed = NoAnswerError(f"{self.url}: {error or type(error).__name__}", key)
                asked, passing = 0.0, True
            else:
                if answer.is_success:
                    return answer
                failed = ProblemError.of(answer)
                asked, passing = retry_after(answer.headers.get("Retry-After")), failed.passing
            if not passing or not self.patience.pause(attempt, until, asked):
                raise failed
        raise AssertionError("count() ends")

    def _send(
        self, method: str, path: str, body: bytes | None, key: str | None, timeout_seconds: float
    ) -> httpx.Response:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        credential = self.key() if callable(self.key) else self.key
        if credential:
            headers["Authorization"] = f"Bearer {credential}"
        return self._http.request(
            method, path, content=body, headers=headers, timeout=max(timeout_seconds, 0.001)
        )


def _sent(request: Body) -> bytes:
    """Return JSON in its shortest form; bytes are left alone."""
    if isinstance(request, bytes):
        return request
    text = json.dumps(request, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _results(text: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Give each result of a batch, and the bytes of its quote as they came: those are recorded."""
    at = text.index("[") + 1
    while text[at] == "{":
        one, end = DECODER.raw_decode(text, at)
        yield one, text[at:end].partition('"quote":')[2][:-1].encode()
        at = end + 1  # past the comma, or the end of the list


def _read(body: bytes) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(body)
    return document
