"""What is answered: the bytes of a quote, or of a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from serving.problem import RefusedError


@dataclass(frozen=True)
class Reply:
    """The exact bytes of an answer; `quote_id` is None for a what-if, which is not recorded."""

    quote_id: str | None
    body: bytes
    replayed: bool = False  # it was recorded by an earlier request under the same key


@dataclass(frozen=True)
class Batch:
    """The answer to a batch; `replayed` if every quote of it was recorded before."""

    body: bytes
    replayed: bool

    @classmethod
    def of(cls, answers: Sequence[Reply | RefusedError]) -> Batch:
        """Return the answers as one."""
        quotes = [answer for answer in answers if isinstance(answer, Reply)]
        return cls(_results(answers), bool(quotes) and all(one.replayed for one in quotes))


def _results(answers: Sequence[Reply | RefusedError]) -> bytes:
    results = [
        {"status": 201, "quote": orjson.Fragment(answer.body)}
        if isinstance(answer, Reply)
        else {"status": answer.problem.status, "problem": answer.document()}
        for answer in answers
    ]
    return orjson.dumps({"results": results})
