"""How many prices are in progress in this process, and what is left out first when it is full.

One thread prices, so whoever is let in beyond what it does in a moment only waits, and makes others
wait. As the house fills, the least needed goes first: audits, then what-ifs, then batches, and
single quotes last (docs/decisions/0020-what-is-shed.md). Counted, not timed: a count needs no
clock, is right at once, and bounds memory too.
"""

from __future__ import annotations

import asyncio

from serving.doors import Door
from serving.problem import MEDIA_TYPE, OVERLOADED, RefusedError

_TURNED_AWAY = RefusedError(OVERLOADED, "fewer requests must be on their way, however: more").body()
TURNED_AWAY = (
    f"HTTP/1.1 {OVERLOADED.status} Service Unavailable\r\n"
    f"content-type: {MEDIA_TYPE}\r\n"
    f"content-length: {len(_TURNED_AWAY)}\r\n"
    "retry-after: 1\r\n"
    "cache-control: no-store\r\n"
    "x-content-type-options: nosniff\r\n\r\n"
).encode() + _TURNED_AWAY
A_ROUND = 4  # prices in one round of the event loop, in which one new connection is taken
AUDITED = 0.25  # share of the places up to which explanations are audited


class Admission:
    """The places of one server process."""

    def __init__(self, places: int) -> None:
        """Start empty.

        Args:
            places: requests for prices that may be in progress.
        """
        self._places = places
        self.taken = 0
        self.unaudited = 0  # quotes that were drawn for an audit, and got none
        self.turned_away = 0
        self._heard = 0  # requests in this round of the loop
        self._priced = 0  # in this round of prices
        self._turns: list[asyncio.Future[None]] = []  # of those who wait for a round

    def check(self, door: Door) -> None:
        """Refuse a request for which there is no place; one that asks for no price needs none.

        Raises:
            RefusedError: `overloaded`.
        """
        if self.taken >= door.up_to * self._places > 0:
            raise RefusedError(
                OVERLOADED,
                f"at most {door.up_to * self._places:.0f} requests for prices must be in progress "
                f"for {door.path}, however: {self.taken}",
                headers={"Retry-After": "1"},
            )

    def enter(self, door: Door) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            RefusedError: `overloaded`.
        """
        self.check(door)
        self.taken += door.up_to > 0

    async def turn(self, door: Door) -> None:
        """Wait for a turn to price, first come, first served.

        Between two rounds the loop hears callers, old and new.
        """
        if not door.up_to:
            return
        loop = asyncio.get_running_loop()
        if self._turns or self._priced == A_ROUND:
            self._turns.append(loop.create_future())
            await self._turns[-1]
            return
        if not self._priced:
            loop.call_soon(self._next_round)
        self._priced += 1

    def _next_round(self) -> None:
        """Let those price who came first; the next round is when they have."""
        waiting = [turn for turn in self._turns if not turn.done()]  # others ran out of time
        for turn in waiting[:A_ROUND]:
            turn.set_result(None)
        self._turns = waiting[A_ROUND:]
        self._priced = len(waiting[:A_ROUND])
        if self._priced:
            asyncio.get_running_loop().call_soon(self._next_round)

    def leave(self, door: Door) -> None:
        """Give back what `enter` took."""
        self.taken -= door.up_to > 0

    def is_full(self) -> bool:
        """Say whether one more has no place, those heard in this round of the loop counted."""
        full = self.taken + self._heard >= self._places
        if not full and not self._heard:
            asyncio.get_running_loop().call_soon(self._let_in)
        self._heard += not full
        return full

    def _let_in(self) -> None:
        self._heard = 0  # from now on each takes its place itself

    def turn_away(self) -> bytes:
        """Return the whole answer to a request that is refused unread, written before."""
        self.turned_away += 1
        return TURNED_AWAY

    def audits(self) -> bool:
        """Say whether there is time to audit a quote that was drawn."""
        calm = self.taken <= AUDITED * self._places
        self.unaudited += not calm
        return calm
