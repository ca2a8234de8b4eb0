"""The watch on an alias: is there another model to serve, and is it fit to?

A thread asks the registry every few seconds. What an alias names is checked, fetched and tried
beside the model that serves (serving/champion.py), and takes its place in one assignment; requests
under way end with the one they began with. What is refused is not tried again until the alias, the
statement or the trusted keys change; files that cannot be had are asked for again, ever more
seldom.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from threading import Thread
from time import monotonic
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from models.copies import Pointer
from models.hazard import HazardModel
from pricing.errors import InputError, ModelError, SeedrateError
from serving.champion import Source

log = logging.getLogger("seedrate.watch")

OFF, OK, STALE = "off", "ok", "stale"
JITTER = 0.2  # of the seconds between two polls, so that servers do not ask together
MOST_WAIT_SECONDS = 300.0  # between two attempts to fetch files that cannot be had


@dataclass(frozen=True)
class Refusal:
    """A candidate that does not serve, and why."""

    version: str
    digest: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Standing:
    """What a watch knows.

    Attributes:
        registry: `ok`, `stale` if it does not answer, `off` if it is not asked.
        since: when it became so.
        asked: when it was asked last; None: never.
        named: the version that the alias named when the registry answered last; empty: none.
        version: of the model that serves, empty if there is none.
        digest: of its manifest.
        served_since: when it began to serve in this process.
        swaps: how often another took the place of the one that served.
        refusals: how many candidates were refused.
        refused: the last of them.
        stands: it is what the alias names now.
    """

    registry: str
    since: datetime
    asked: datetime | None = None
    named: str = ""
    version: str = ""
    digest: str = ""
    served_since: datetime | None = None
    swaps: int = 0
    refusals: int = 0
    refused: Refusal | None = None
    stands: bool = False

    def document(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return asdict(self)

    def public(self) -> dict[str, Any]:
        """Return what anybody may know."""
        return {
            "registry": self.registry,
            "registry_since": self.since,
            "version": self.version,
            "served_since": self.served_since,
            "refused": self.refused.version if self.refused and self.stands else None,
        }


class Watch:
    """One alias, watched in a thread of its own."""

    def __init__(
        self,
        source: Source,
        serve: Callable[[HazardModel, Pointer], None],
        *,
        seconds: float,
        now: Callable[[], datetime],
    ) -> None:
        """Watch nothing yet.

        Args:
            source: of the models.
            serve: puts a model, let by this statement, in the place of the one that serves; raises
                if it cannot.
            seconds: between two polls; 0 for none.
            now: the clock.
        """
        self.source = source
        self._serve = serve
        self._seconds = seconds if source.can_ask else 0.0
        self._now = now
        self._refused: tuple[Pointer, frozenset[str]] | None = None
        self._missed: Pointer | None = None  # its files could not be had
        self._wait = 0.0  # before they are asked for again
        self._again = 0.0
        self._serving: Pointer | None = None
        self.standing = Standing(OFF, now())
        self._thread = Thread(target=self._run, name=f"watch {source.alias}", daemon=True)

    def first(self) -> None:
        """Serve what the alias names, or else what served here last.

        Raises:
            SeedrateError: there is nothing that may serve.
        """
        model, pointer = self.source.first()
        self._put(model, pointer)

    def start(self) -> None:
        """Poll from now on, at once for the first time."""
        if self._seconds:
            self._thread.start()

    def close(self) -> None:
        """Stop polling, and whatever is under way."""
        self.source.ending.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self.source.hold.close()

    def poll(self) -> None:
        """Look once, and act on what is seen."""
        self.standing = replace(self.standing, asked=self._now())
        try:
            pointer, trusted = self.source.named(), frozenset(self.source.trusted())
        except InputError as error:
            self._registry(STALE, error)
            return
        self._registry(OK)
        self.standing = replace(self.standing, named=pointer.version if pointer else "")
        if pointer is None or pointer == self._serving:
            self.standing = replace(self.standing, stands=False)
            return
        if pointer != self._missed:
            self._missed, self._wait, self._again = None, 0.0, 0.0
        if (pointer, trusted) != self._refused and monotonic() >= self._again:
            self._consider(pointer, trusted)

    def _consider(self, pointer: Pointer, trusted: frozenset[str]) -> None:
        """Serve a candidate if it is fit to; else say why not, and remember it."""
        log.info("%s names version %s: it is tried", self.source.alias, pointer.version[:64])
        try:
            self.source.check(pointer)
            if not self.source.has(pointer) and not self._fetched(pointer):
                return
            model = self.source.load(pointer)
            self._put(model, pointer)
        except Exception as error:  # whatever it is, the one that serves goes on
            if not self.source.ending.is_set():
                self._refused = pointer, trusted
                self._alarm(pointer, error)

    def _fetched(self, pointer: Pointer) -> bool:
        """Fetch the files of a candidate; if they cannot be had, wait before the next attempt."""
        try:
            return self.source.fetch() == pointer  # if not, the next poll sees what it is now
        except (InputError, TimeoutError) as error:
            self._registry(STALE, error)
        except ModelError as error:
            self._alarm(pointer, error)
        self._missed = pointer
        self._wait = min(2 * self._wait or self._seconds, MOST_WAIT_SECONDS)
        self._again = monotonic() + self._wait
        return False

    def _put(self, model: HazardModel, pointer: Pointer) -> None:
        before = self._serving
        self._serve(model, pointer)
        self._serving = pointer
        self.standing = replace(
            self.standing,
            version=pointer.version,
            digest=pointer.digest,
            served_since=self._now(),
            swaps=self.standing.swaps + (before not in (None, pointer)),
            stands=False,
        )
        log.info("%s is version %s, %s", self.source.alias, pointer.version, pointer.digest)
        try:
            self.source.keep(pointer)
        except OSError as error:
            log.error(
                "version %s serves, and would not after a restart: %s", pointer.version, error
            )
        self.source.tidy(pointer)

    def _alarm(self, pointer: Pointer, error: Exception) -> None:
        told = isinstance(error, SeedrateError)
        reason = str(error) if told else f"{type(error).__name__}: {error}"
        refusal = Refusal(pointer.version, pointer.digest, self._now(), reason)
        self.standing = replace(
            self.standing, refusals=self.standing.refusals + 1, refused=refusal, stands=True
        )
        log.error(
            "ALARM: version %s (%s) of the alias %s is refused: %s",
            pointer.version,
            pointer.digest[:64],
            self.source.alias,
            reason,
            exc_info=None if told else error,
        )

    def _registry(self, state: str, error: Exception | None = None) -> None:
        if state == self.standing.registry:
            return
        self.standing = replace(self.standing, registry=state, since=self._now())
        if error is not None:
            log.warning("the registry is not followed, what serves goes on: %s", error)

    def _run(self) -> None:
        while True:
            try:
                self.poll()
            except Exception:
                log.exception("a look at the alias %s failed", self.source.alias)
            if self.source.ending.wait(self._seconds * random.uniform(1 - JITTER, 1 + JITTER)):
                return


def metrics(watches: Sequence[Watch]) -> Iterator[Metric]:
    """Yield what Prometheus may know of watches."""
    seen = [(watch.source.alias, watch.standing) for watch in watches]
    about = "1 for the state in which the registry is: ok, stale (does not answer), off (not asked)"
    states = GaugeMetricFamily("seedrate_registry_state", about, labels=("alias", "state"))
    about = "Models that took the place of another"
    swaps = CounterMetricFamily("seedrate_swaps", about, labels=("alias",))
    about = "Candidates that were named to serve and refused"
    refused = CounterMetricFamily("seedrate_candidates_refused", about, labels=("alias",))
    about = "1 while the alias names a candidate that was refused"
    stands = GaugeMetricFamily("seedrate_candidate_refused", about, labels=("alias",))
    about = "When the model that serves began to, in seconds since 1970; 0: none does"
    since = GaugeMetricFamily("seedrate_model_since_seconds", about, labels=("alias",))
    for alias, standing in seen:
        for state in (OK, STALE, OFF):
            states.add_metric((alias, state), float(standing.registry == state))
        began = standing.served_since
        swaps.add_metric((alias,), standing.swaps)
        refused.add_metric((alias,), standing.refusals)
        stands.add_metric((alias,), float(standing.stands))
        since.add_metric((alias,), began.timestamp() if began else 0.0)
    yield from (states, swaps, refused, stands, since)
