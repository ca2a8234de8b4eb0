"""A form with a file (multipart/form-data, RFC 7578), streamed to the disk, never whole in memory.

The token of the form must come before the file, so that nothing of a file that another site sends
is kept; and the first bytes of the file must be those of Parquet or of a CSV in UTF-8. Nothing of
what is refused stays. A Parquet file is not opened here: that is the work of the process that
prices it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from serving.problem import (
    BODY_TOO_LARGE,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
    RefusedError,
)

CSV, PARQUET = "csv", "parquet"
MAGIC = b"PAR1"  # at both ends of a Parquet file: parquet.apache.org, file format
MARK = b"\xef\xbb\xbf"  # by which spreadsheets say that a CSV is in UTF-8
HEAD_BYTES = 4096  # of a file, that tell its kind
WRITE_BYTES = 1 << 20  # at once, in a thread: the loop has callers waiting
MOST_FIELDS, MOST_VALUE_BYTES = 8, 200
AROUND_BYTES = 16 * 1024  # of a form, beside the file
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Upload:
    """What came: the fields before the file, and of the file what it is."""

    fields: Mapping[str, str]
    name: str  # that its owner gives it; it names no file here
    kind: str
    size_bytes: int
    digest: str  # SHA-256


async def receive(
    request: Request, check: Callable[[Mapping[str, str]], None], into: Path, most_bytes: int
) -> Upload:
    """Read a form and write its file.

    Args:
        request: that carries the form.
        check: refuses the fields that came before the file.
        into: the file to write; there must be none yet.
        most_bytes: of the file.

    Raises:
        RefusedError: `body_too_large`, `unsupported_media_type`, `malformed_request`, or `check`'s.
    """
    form = _Form(request.headers.get("content-type", ""))
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > most_bytes + AROUND_BYTES:
        raise _too_large(most_bytes)
    taken = _Taken(into, most_bytes)
    try:
        around = 0
        async for chunk in request.stream():
            around += len(chunk)
            form.write(chunk)
            if form.has_file:
                check(form.fields)  # again and again: it costs nothing, and nobody forgets it
                around -= len(form.data)
                await taken.take(form.data)
                form.data.clear()
            if around > AROUND_BYTES:
                raise RefusedError(MALFORMED_REQUEST, "a form must be small beside its file")
        if not form.whole or not form.has_file:
            raise RefusedError(MALFORMED_REQUEST, "a form must come whole, with a file")
        kind = await taken.end()
    except BaseException:
        taken.forget()
        raise
    return Upload(form.fields, form.name, kind, taken.size_bytes, taken.hash.hexdigest())


def kind_of(head: bytes) -> str | None:
    """Return what a file is by its first bytes; None if it is neither Parquet nor CSV in UTF-8.

    >>> kind_of(b"PAR1..."), kind_of(b"a,b"), kind_of(b"%PDF"), kind_of(bytes(9) + b",")
    ('parquet', 'csv', None, None)
    """
    if head.startswith(MAGIC):
        return PARQUET
    text = head[:HEAD_BYTES].removeprefix(MARK)
    try:
        said = text.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(text) - error.start > 3 or len(head) < HEAD_BYTES:  # a letter may be cut at the end
            return None
        said = text[: error.start].decode("utf-8")
    return CSV if "," in said.partition("\n")[0] and not _CONTROL.search(said) else None


@dataclass
class _Taken:
    """The file as far as it has come."""

    path: Path
    most_bytes: int
    size_bytes: int = 0
    kind: str | None = None
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _file: IO[bytes] | None = None
    _waiting: bytearray = field(default_factory=bytearray)
    _last: bytes = b""

    async def take(self, data: bytearray) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self.most_bytes:
            raise _too_large(self.most_bytes)
        self._waiting += data
        if self.kind is None and len(self._waiting) >= HEAD_BYTES:
            self._look()
        if len(self._waiting) >= WRITE_BYTES:
            await self._flush()

    async def end(self) -> str:
        """Write the rest; return the kind."""
        if self.kind is None:
            self._look()
        await self._flush()
        if self.kind == PARQUET and (self._last != MAGIC or self.size_bytes < 3 * len(MAGIC)):
            raise _wrong_kind()
        self._close()
        return self.kind or CSV

    def forget(self) -> None:
        self._close()
        self.path.unlink(missing_ok=True)

    def _look(self) -> None:
        self.kind = kind_of(bytes(self._waiting))
        if self.kind is None:
            raise _wrong_kind()

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        self._last = (self._last + data)[-len(MAGIC) :]
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("xb")
        self.hash.update(data)
        self._file.write(data)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Form:
    """A form as far as it has come: fields, then one file, whose bytes lie in `data` until read."""

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise RefusedError(MALFORMED_REQUEST, "a form with a file must say its boundary")
        self.fields: dict[str, str] = {}
        self.name, self.data = "", bytearray()
        self.has_file = self.whole = self._in_file = False
        self._headers: dict[str, str] = {}
        self._header, self._said, self._value = bytearray(), bytearray(), bytearray()
        self._field = ""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header.extend(
                        data[start:end]
                    ),
                    "on_header_value": lambda data, start, end: self._said.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end,
                    "on_end": self._end_all,
                },
            )
        except FormParserError:
            raise _broken() from None

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _broken() from None

    def _begin(self) -> None:
        if self.has_file or len(self.fields) >= MOST_FIELDS:
            raise RefusedError(MALFORMED_REQUEST, "the file must be the last of a few fields")
        self._headers, self._value = {}, bytearray()

    def _end_header(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._said.decode("latin-1")
        self._header, self._said = bytearray(), bytearray()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        self._in_file = self.has_file = b"filename" in options
        self.name = options.get(b"filename", b"").decode("latin-1")

    def _take(self, data: bytes, start: int, end: int) -> None:
        into = self.data if self._in_file else self._value
        into += data[start:end]
        if len(self._value) > MOST_VALUE_BYTES:
            raise RefusedError(MALFORMED_REQUEST, "a field must be short")

    def _end(self) -> None:
        if not self._in_file:
            self.fields[self._field] = self._value.decode("utf-8", "replace")

    def _end_all(self) -> None:
        self.whole = True


def _broken() -> RefusedError:
    return RefusedError(MALFORMED_REQUEST, "a form must be multipart/form-data, however: broken")


def _too_large(most_bytes: int) -> RefusedError:
    return RefusedError(BODY_TOO_LARGE, f"a file must have at most {most_bytes} bytes")


def _wrong_kind() -> RefusedError:
    return RefusedError(UNSUPPORTED_MEDIA_TYPE, "a file must be Parquet, or CSV in UTF-8")
