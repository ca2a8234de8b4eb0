"""How many prices are in progress in this process, and what is left out first when it is full.

One thread prices, so whoever is let in beyond what it does in a moment only waits, and makes others
wait. As the house fills, the least needed goes first: audits, then what-ifs, then batches, and
single quotes last (docs/decisions/0020-what-is-shed.md). Counted, not timed: a count needs no
clock, is right at once, and bounds memory too.
"""

from __future__ import annotations

from serving.doors import Door
from serving.problem import OVERLOADED, RefusedError

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

    def leave(self, door: Door) -> None:
        """Give back what `enter` took."""
        self.taken -= door.up_to > 0

    def audits(self) -> bool:
        """Say whether there is time to audit a quote that was drawn."""
        calm = self.taken <= AUDITED * self._places
        self.unaudited += not calm
        return calm
