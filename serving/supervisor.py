"""The process that starts workers again: how soon it notices that one has died.

BentoML lets Circus look at its workers every ten seconds, and has no setting for it; a look costs
a few system calls.
"""

from __future__ import annotations

from typing import Any

import circus.arbiter
from circus.controller import Controller

LOOK_SECONDS = 0.25


class Attentive(Controller):  # type: ignore[misc]  # Circus has no types
    """Looks at the workers often."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """Take what Circus gives, but for the time between two looks."""
        super().__init__(*given, **named)
        self.check_delay = 1e3 * LOOK_SECONDS  # milliseconds


def attend() -> None:
    """Let the supervisor that is about to start in this process look often."""
    circus.arbiter.Controller = Attentive
