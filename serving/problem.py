"""Every refusal a caller can meet, as RFC 9457 problem+json with a stable code."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pricing.errors import Fault, InputError, PolicyError

log = logging.getLogger("seedrate.problem")

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """A kind of refusal: callers may match on `code`; the wording may improve."""

    code: str
    status: int
    title: str


MALFORMED_REQUEST = Problem("malformed_request", 400, "The request is not one this server reads")
MALFORMED_JSON = Problem("malformed_json", 400, "The body is not strict JSON")
MISSING_KEY = Problem("missing_key", 400, "A quote needs an Idempotency-Key")
UNAUTHENTICATED = Problem("unauthenticated", 401, "Nobody is known by this credential")
FORBIDDEN = Problem("forbidden", 403, "The credential does not allow this")
NOT_FOUND = Problem("not_found", 404, "There is nothing at this address")
QUOTE_NOT_FOUND = Problem("quote_not_found", 404, "No quote is recorded under this id")
KEY_NOT_FOUND = Problem("key_not_found", 404, "No quote is recorded under this key")
METHOD_NOT_ALLOWED = Problem("method_not_allowed", 405, "This address has no such method")
NOT_ACCEPTABLE = Problem("not_acceptable", 406, "No reply in the media type asked for")
REQUEST_TIMEOUT = Problem("request_timeout", 408, "The request did not arrive in time")
KEY_IN_USE = Problem("key_in_use", 409, "A request under this key is being answered")
NOT_QUOTED = Problem("not_quoted", 409, "The policy's answer is no quote")
ERASED = Problem("erased", 410, "What was private of this quote has been erased")
BODY_TOO_LARGE = Problem("body_too_large", 413, "The body is larger than this address takes")
UNSUPPORTED_MEDIA_TYPE = Problem("unsupported_media_type", 415, "The body must be plain JSON")
WRONG_HOST = Problem("wrong_host", 421, "This server does not answer under that name")
INVALID_INPUT = Problem("invalid_input", 422, "The request does not fit the contract")
KEY_REUSED = Problem("key_reused", 422, "This key was used for another request")
TOO_MANY_REQUESTS = Problem("too_many_requests", 429, "The tenant asks more than it may")
INTERNAL_ERROR = Problem("internal_error", 500, "The server failed")
NOT_READY = Problem("not_ready", 503, "No model is loaded")
ACCESS_UNAVAILABLE = Problem("access_unavailable", 503, "Credentials cannot be checked")
OVERLOADED = Problem("overloaded", 503, "The server has too much to do")
NOT_RECORDED = Problem("not_recorded", 503, "The quote could not be recorded")
TIMED_OUT = Problem("timed_out", 504, "The answer took too long")

PROBLEMS = (
    MALFORMED_REQUEST,
    MALFORMED_JSON,
    MISSING_KEY,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    QUOTE_NOT_FOUND,
    KEY_NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    REQUEST_TIMEOUT,
    KEY_IN_USE,
    NOT_QUOTED,
    ERASED,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    WRONG_HOST,
    INVALID_INPUT,
    KEY_REUSED,
    TOO_MANY_REQUESTS,
    INTERNAL_ERROR,
    NOT_READY,
    ACCESS_UNAVAILABLE,
    OVERLOADED,
    NOT_RECORDED,
    TIMED_OUT,
)


class RefusedError(Exception):
    """A request that gets a problem for an answer."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts of the answer.

        Args:
            problem: the kind.
            detail: one sentence about this request.
            faults: every field that is wrong.
            headers: to send beside it, such as Allow or Retry-After.
        """
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {
            "type": f"urn:seedrate:problem:{self.problem.code}",
            "title": self.problem.title,
            "status": self.problem.status,
            "code": self.problem.code,
            "detail": self.detail,
            "faults": [
                {"field": fault.field, "expected": fault.expected, "given": fault.given}
                for fault in self.faults
            ],
        }

    def body(self) -> bytes:
        """Return the body of the answer in bytes."""
        return orjson.dumps(self.document())


def answer(error: Exception, new_error_id: Callable[[], str], where: str) -> RefusedError:
    """Return the answer to any error: its own if it was raised for the caller to read.

    Everything else is a fault of ours, a model that gives no number too: it is logged under an id,
    and the caller sees that id and nothing else.

    Args:
        error: what was raised while a request was answered.
        new_error_id: gives the id.
        where: it happened, for the log.

    >>> answer(InputError.of("instrument.amount", "above 0", -1), str, "/").detail
    'instrument.amount must be above 0, however: -1'
    """
    match error:
        case RefusedError():
            return error
        case InputError():
            return RefusedError(INVALID_INPUT, _summary(error), faults=error.faults)
        case PolicyError():
            return RefusedError(NOT_QUOTED, str(error))
    error_id = new_error_id()
    log.error(
        "error %s at %s", error_id, where, exc_info=error, extra={"told": {"error_id": error_id}}
    )
    return RefusedError(INTERNAL_ERROR, f"this was logged as error {error_id}")


def new_error_id() -> str:
    """Return an id that nobody has seen before."""
    return secrets.token_hex(8)


def _summary(error: InputError) -> str:
    first, *others = error.faults
    return f"{first}" + (f" (and {len(others)} more, see faults)" if others else "")
