"""Pauses in the loading of a model, for those who quote meanwhile in the same process."""

from __future__ import annotations

import time
from threading import current_thread, main_thread

BREATH_SECONDS = 0.02  # in which two quotes are made, or three


def breathe() -> None:
    """Leave Python's lock and the processor to others, after some milliseconds of one's own.

    Who loads beside those who quote takes up to half of what they had; if they need more than the
    other half, their callers queue until the loading ends. In pauses the queue is worked off. The
    main thread takes none: a process that loads there, at its start or as a command, does not quote
    yet.
    """
    if current_thread() is not main_thread():
        time.sleep(BREATH_SECONDS)
