"""The few models that this process read last: one that served lately is not read again."""

from __future__ import annotations

from threading import Lock

from models.hazard import HazardModel

MOST = 3  # the one that serves, the one before it, and the challenger


class Remembered:
    """Models by digest, each of which has passed its golden vectors in this process.

    What is here was read from files that were verified, and nothing on a disk alters it: so it may
    serve again on a new statement. It is shared by the aliases of a server, as a challenger that is
    promoted is the very model that was in the shadow.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._models: dict[str, HazardModel] = {}  # the one asked for last stands last
        self._lock = Lock()

    def find(self, digest: str) -> HazardModel | None:
        """Return a model; None if it is not remembered."""
        with self._lock:
            model = self._models.pop(digest, None)
            if model is not None:
                self._models[digest] = model
            return model

    def keep(self, model: HazardModel) -> None:
        """Remember a model, and forget the one that nobody asked for the longest."""
        with self._lock:
            self._models[model.digest] = model
            while len(self._models) > MOST:
                del self._models[next(iter(self._models))]
