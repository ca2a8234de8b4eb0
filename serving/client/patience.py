"""How long, and how often, the same request is sent again.

    pause before attempt n + 1 = uniform(0, min(longest, first * 2**n)), and at least Retry-After

Source: M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015), "full jitter":
callers who were refused together do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_SECONDS, LONGEST_SECONDS = 0.2, 10.0


@dataclass(frozen=True)
class Patience:
    """For how many seconds new attempts may begin; 0: there is one attempt."""

    seconds: float = 60.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[float, float], float] = random.uniform

    def pause(self, attempt: int, until: float, asked_seconds: float) -> bool:
        """Wait before another attempt; return False, at once, if it would begin too late.

        Args:
            attempt: the number of the one that failed, from 0.
            until: when new attempts end, as `now` counts seconds.
            asked_seconds: what Retry-After asks for; 0 where it is silent.
        """
        wait = self.draw(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**attempt)) + asked_seconds
        if self.now() + wait >= until:
            return False
        self.sleep(wait)
        return True


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After asks for; a date, or nonsense, asks for none.

    >>> retry_after("5"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after(None)
    (5.0, 0.0, 0.0)
    """
    return float(header) if header and header.isascii() and header.isdigit() else 0.0
