"""How much a tenant may ask: so many a minute of each kind, and so many at once.

Counted in this process's memory, so that counting cannot fail, and cannot keep anybody out by
failing. Each server counts by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from serving.problem import TOO_MANY_REQUESTS, RefusedError

WINDOW_SECONDS = 60.0
BUDGETS: Mapping[str, str] = {  # scope -> the budget that an address of this scope draws on
    "price": "price",
    "explain": "explain",
    "ledger:read": "ledger",
    "ledger:verify": "ledger",
    "console:read": "ledger",
    "promote": "ledger",
}


class Limits:
    """The budgets of every tenant."""

    def __init__(
        self, per_minute: Mapping[str, int], at_once: int, now: Callable[[], float]
    ) -> None:
        """Start with nothing used up.

        Args:
            per_minute: of each budget.
            at_once: requests of one tenant that may be under way.
            now: in seconds, by a clock that nobody sets.
        """
        self._per_minute = per_minute
        self._at_once = at_once
        self._now = now
        self._windows: dict[tuple[str, str], _Window] = {}
        self._under_way: defaultdict[str, int] = defaultdict(int)

    def enter(self, tenant: str, scope: str, cost: int) -> None:
        """Let a request of a tenant begin; `leave` ends it.

        Args:
            tenant: of the caller.
            scope: of the address.
            cost: what it draws on the budget: 1, or the number of quotes in a batch.

        Raises:
            RefusedError: `too_many_requests`.
        """
        self.check(tenant)
        budget = BUDGETS.get(scope)
        if budget is not None:
            self._draw(tenant, budget, cost)
        self._under_way[tenant] += 1

    def check(self, tenant: str) -> None:
        """Refuse a tenant that has as many requests under way as it may.

        Raises:
            RefusedError: `too_many_requests`.
        """
        if self._under_way[tenant] >= self._at_once:
            detail = f"a tenant must have at most {self._at_once} requests under way, however: more"
            raise RefusedError(TOO_MANY_REQUESTS, detail, headers={"Retry-After": "1"})

    def leave(self, tenant: str) -> None:
        """End a request that `enter` let begin."""
        self._under_way[tenant] -= 1

    def _draw(self, tenant: str, budget: str, cost: int) -> None:
        window = self._windows.get((tenant, budget))
        if window is None:
            window = self._windows[tenant, budget] = _Window(self._per_minute[budget])
        wait = window.draw(cost, self._now())
        if wait:
            detail = (
                f"a tenant must ask at most {window.most} times a minute for {budget} "
                f"(each quote of a batch counts), however: more"
            )
            headers = {"Retry-After": str(int(wait) + 1)}
            raise RefusedError(TOO_MANY_REQUESTS, detail, headers=headers)


class _Window:
    """A sliding window made of two counters, of this minute and of the one before.

        used = before (1 - share of this minute that has passed) + in this minute

    Source: the approximation of Cloudflare, "How we built rate limiting" (2017): it takes the
    requests of the minute before as evenly spread.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._minute, self._before, self._here = 0, 0, 0

    def draw(self, cost: int, now: float) -> float:
        """Count a cost and return 0, or the seconds after which it would fit."""
        at = now / WINDOW_SECONDS
        minute = int(at)
        if minute != self._minute:
            self._before = self._here if minute == self._minute + 1 else 0
            self._minute, self._here = minute, 0
        passed = at - minute
        if self._before * (1 - passed) + self._here + cost <= self.most:
            self._here += cost
            return 0.0
        return max(WINDOW_SECONDS * (self._fits_at(cost) - passed), 0.001)

    def _fits_at(self, cost: int) -> float:
        """Return when a cost fits, in minutes since this one began, if nothing else is asked."""
        room = self.most - cost
        if self._before and room >= self._here:
            return 1 - (room - self._here) / self._before
        return 2.0 if room < 0 or not self._here else 1 + max(1 - room / self._here, 0.0)
