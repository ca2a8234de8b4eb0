"""What is observed of one answer: names and ids that are bounded or harmless, and never a body."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

UNKNOWN_ROUTE = "unknown"
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")  # of the request under way


@dataclass(slots=True)
class Answered:
    """One answer; it is filled while the request is answered, and then observed once."""

    method: str = "other"
    route: str = UNKNOWN_ROUTE  # the template of an address, never its path
    status: int = 0  # 0: the caller left before there was one
    seconds: float = 0.0
    code: str = ""  # of the problem; empty: there was none
    tenant: str = ""
    client: str = ""
    quote_id: str = ""
    request_id: str = ""
    traceparent: str = ""  # as the caller sent it; empty: none, or one that is no such thing

    @property
    def trace_id(self) -> str:
        """Return the id of the trace that the request belongs to.

        >>> Answered(traceparent=f"00-{'a' * 32}-{'b' * 16}-01").trace_id[:3]
        'aaa'
        """
        return self.traceparent[3:35]


Observe = Callable[[Answered], None]
