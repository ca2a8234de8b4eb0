"""Every error that a call raises on purpose.

CallError
├── ProblemError   the server, or a proxy before it, said no: match on `code`
└── NoAnswerError  nobody answered in time; a quote may have been recorded under its key
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from pricing.errors import Fault

IN_USE = "key_in_use"
PASSING = {429, 502, 503, 504}  # the same request may be answered later


class CallError(Exception):
    """A call that brought no reply."""


class NoAnswerError(CallError):
    """Nobody answered in time."""

    def __init__(self, said: str, key: str | None) -> None:
        """Keep what was seen last, and the key of the request.

        Args:
            said: what went wrong, last.
            key: the Idempotency-Key: the same request under it is safe to send again, for ever.
        """
        known = f"; it may be recorded under the key {key}" if key else ""
        super().__init__(f"no answer: {said}{known}")
        self.key = key


class ProblemError(CallError):
    """A refusal, as problem+json says it (RFC 9457)."""

    def __init__(
        self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep the parts of the refusal.

        Args:
            status: of HTTP.
            document: the problem; of a proxy's page, what stands for one.
            headers: that came with it.
        """
        self.status, self.document, self.headers = status, document, headers or {}
        self.code, self.detail = str(document["code"]), str(document["detail"])
        self.faults = tuple(Fault(**one) for one in document["faults"])
        said = "; ".join(map(str, self.faults)) or self.detail
        super().__init__(f"{status} {self.code}: {said}")

    @property
    def passing(self) -> bool:
        """Whether the same request may fare better in a moment."""
        return self.status in PASSING or self.code == IN_USE

    @classmethod
    def of(cls, answer: httpx.Response) -> ProblemError:
        """Return the refusal that an answer is; a proxy's page has the code `http_<status>`."""
        try:
            return cls(answer.status_code, json.loads(answer.content), answer.headers)
        except (ValueError, KeyError, TypeError):
            return cls(answer.status_code, _plain(answer), answer.headers)


def _plain(answer: httpx.Response) -> dict[str, Any]:
    """Return the problem for an answer that is none of the server's own."""
    return {
        "type": "about:blank",
        "title": answer.reason_phrase,
        "status": answer.status_code,
        "code": f"http_{answer.status_code}",
        "detail": f"not the server's own answer: {answer.text[:200]}",
        "faults": [],
    }
