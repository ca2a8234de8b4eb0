"""What a server logs: one line an event on stderr, as JSON or as text for a terminal.

A line says what happened, where, and to whose request: ids, names and numbers of ours. It holds no
body, no input of a project, no credential. So of an unexpected error it has the type and the way
through the code, and the words only of errors that speak of a disk or a database: any other may
quote a value that a caller sent. What looks like a key, a token or a password is struck out.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson
import psycopg

from serving.answered import REQUEST_ID, Answered

log = logging.getLogger("seedrate.request")

ROOT = Path(__file__).parent.parent
SPEAKS_OF_NO_VALUE = (OSError, sqlite3.Error, psycopg.OperationalError)
MOST_FRAMES = 12
SECRET = re.compile(
    r"sr_live_[\w-]+"  # a key of serving/access/key.py
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a token
    r"|(?<=://)[^/\s@]+(?=@)"  # who logs in to an address, and how
)


def told(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says, as a JSON object."""
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    says: dict[str, Any] = {
        "time": when.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": struck(record.getMessage()),
    }
    if request_id := REQUEST_ID.get():
        says["request_id"] = request_id
    says |= getattr(record, "told", {})
    if record.exc_info and record.exc_info[1] is not None:
        says["errors"] = [_error(one) for one in _chain(record.exc_info[1])]
    return says


def struck(text: str) -> str:
    """Return a text without what looks like a credential.

    >>> struck("postgresql://me:secret@db/ledger is gone")
    'postgresql://[struck out]@db/ledger is gone'
    """
    return SECRET.sub("[struck out]", text)


def as_text(says: dict[str, Any]) -> str:
    r"""Return an event as a person reads it: one line, and one more for each step of an error.

    >>> as_text({"time": "T", "level": "info", "logger": "l", "message": "a\nb", "status": 200})
    'T INFO l a\\nb status=200'
    """
    said = dict(says)
    errors = said.pop("errors", [])
    head = " ".join([said.pop("time"), said.pop("level").upper(), said.pop("logger")])
    message = said.pop("message").replace("\r", "\\r").replace("\n", "\\n")
    line = " ".join([head, message, *(f"{name}={value}" for name, value in said.items())])
    for error in errors:
        line += f"\n  {error['type']} {error.get('message', '')}"
        line += "".join(f"\n    {step}" for step in error["at"])
    return line


class Lines(logging.Formatter):
    """Writes records as lines of JSON or of text."""

    def __init__(self, *, json: bool) -> None:
        """Choose the form."""
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        says = told(record)
        return orjson.dumps(says, default=str).decode() if self._json else as_text(says)


class RequestLog:
    """Logs a share of the answers, and every one with a status of 500 or more."""

    def __init__(self, share: float) -> None:
        """Log a share, in [0, 1], of the answers below 500, evenly."""
        self._share = share
        self._due = 0.0

    def note(self, answered: Answered) -> None:
        """Log an answer if it is due."""
        if answered.status >= 500:
            level = logging.ERROR if answered.status == 500 else logging.WARNING
        else:
            self._due += self._share
            if self._due < 1:
                return
            self._due -= 1
            level = logging.INFO
        log.log(level, "answered", extra={"told": _answer(answered)})


def install(form: str, stream: TextIO = sys.stderr) -> None:
    """Write what this process logs, and BentoML in it, in our form alone.

    Args:
        form: json, text, or auto: text on a terminal.
        stream: takes the lines.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(json=form == "json" or (form == "auto" and not stream.isatty())))
    root = logging.getLogger()
    root.handlers = [handler]
    for name in ("bentoml", "circus", "uvicorn", "uvicorn.error"):
        theirs = logging.getLogger(name)
        theirs.handlers, theirs.propagate = [], True
    logging.getLogger("seedrate").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def _answer(answered: Answered) -> dict[str, Any]:
    says = {
        "route": answered.route,
        "method": answered.method,
        "status": answered.status,
        "milliseconds": round(answered.seconds * 1e3, 3),
        "code": answered.code,
        "tenant": answered.tenant,
        "client": answered.client,
        "quote_id": answered.quote_id,
        "trace_id": answered.trace_id,
    }
    return {name: value for name, value in says.items() if value != ""}


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _error(error: BaseException) -> dict[str, Any]:
    says: dict[str, Any] = {"type": type(error).__qualname__}
    if isinstance(error, SPEAKS_OF_NO_VALUE):
        says["message"] = struck(str(error))
    steps = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return {**says, "at": [f"{_place(one.filename)}:{one.lineno} {one.name}" for one in steps]}


def _place(file: str) -> str:
    path = Path(file)
    inside = path.is_relative_to(ROOT) and "site-packages" not in path.parts
    return path.relative_to(ROOT).as_posix() if inside else "/".join(path.parts[-3:])
