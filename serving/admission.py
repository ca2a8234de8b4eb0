"""How many prices are in progress in this process, and what is left out first when it is full.

One thread prices, so whoever is let in beyond what it does in a moment only waits, and makes others
wait. As the house fills, the least needed goes first: audits, then what-ifs, then batches, and
single quotes last (docs/decisions/0020-what-is-shed.md). Counted, not timed: a count needs no
clock, is right at once, and bounds memory too.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from serving.doors import Door
from serving.problem import MEDIA_TYPE, OVERLOADED, RefusedError

TURNED_AWAY = RefusedError(OVERLOADED, "fewer requests must be on their way, however: more").body()
TURNED_AWAY_HEADERS = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"content-length", str(len(TURNED_AWAY)).encode()),
    (b"retry-after", b"1"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
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
        self._priced = 0  # in this round

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
        """Wait for a turn to price: between two rounds the loop hears callers, old and new."""
        while door.up_to and self._priced == A_ROUND:
            await asyncio.sleep(0)
        if door.up_to and not self._priced:
            asyncio.get_running_loop().call_soon(self._next_round)
        self._priced += door.up_to > 0

    def _next_round(self) -> None:
        self._priced = 0

    def leave(self, door: Door) -> None:
        """Give back what `enter` took."""
        self.taken -= door.up_to > 0

    @property
    def most_on_their_way(self) -> int:
        """Return how many requests may have begun, those included that the gate will refuse."""
        return 2 * self._places

    async def turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request unread, in words that were written before."""
        self.turned_away += 1
        await send({"type": "http.response.start", "status": 503, "headers": TURNED_AWAY_HEADERS})
        await send({"type": "http.response.body", "body": TURNED_AWAY})

    def audits(self) -> bool:
        """Say whether there is time to audit a quote that was drawn."""
        calm = self.taken <= AUDITED * self._places
        self.unaudited += not calm
        return calm
