"""Those who wait for the ledger, each on an event loop, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.ledger.entry import Entry, Kept
from serving.problem import NOT_RECORDED, RefusedError

ANSWER_SECONDS = 0.8  # to a question; a store that is silent for longer is away: told within 1 s
AGAIN_SECONDS = 0.1  # between two looks at whether it is

Wanted = tuple["asyncio.Future[None]", asyncio.AbstractEventLoop]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry to be recorded, and who waits for it."""

    entry: Entry
    recorded: asyncio.Future[Kept | None]
    loop: asyncio.AbstractEventLoop


def not_recorded(why: str) -> RefusedError:
    """Return the refusal of a quote that cannot be kept, and so is not given."""
    return RefusedError(NOT_RECORDED, f"the ledger says: {why}", headers={"Retry-After": "2"})


def bounded(
    waits: Sequence[asyncio.Future[Any]],
    loop: asyncio.AbstractEventLoop,
    trouble: Callable[[], str],
    seconds: float = ANSWER_SECONDS,
) -> None:
    """End waits once there is trouble: what is waited for may come to pass all the same.

    Args:
        waits: end by themselves as long as there is none.
        loop: on which they wait.
        trouble: says why nothing comes, or is empty.
        seconds: until the first look.
    """
    loop.call_later(seconds, _look, waits, loop, trouble)


def _look(
    waits: Sequence[asyncio.Future[Any]],
    loop: asyncio.AbstractEventLoop,
    trouble: Callable[[], str],
) -> None:
    left = [one for one in waits if not one.done()]
    if left and (why := trouble()):
        for one in left:
            one.set_exception(not_recorded(why))
    elif left:
        bounded(left, loop, trouble, AGAIN_SECONDS)


def finish(wanted: Iterable[Wanted], error: Exception | None) -> None:
    """Tell those who wait for a checkpoint that it is there, or why not."""
    for signed, loop in wanted:
        loop.call_soon_threadsafe(_end, signed, error)


def _end(signed: asyncio.Future[None], error: Exception | None) -> None:
    if signed.done():
        return
    if error is None:
        signed.set_result(None)
    else:
        signed.set_exception(not_recorded(str(error)))
