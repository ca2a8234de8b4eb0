"""The challenger in the champion's shadow: a share of the quotes is priced by it too.

That happens after a quote was recorded, in a thread of its own, from a short queue: what does not
fit is dropped and counted, and no caller waits for it or sees it. docs/promotion.md.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric

from models.copies import Pointer
from models.hazard import HazardModel
from models.pricer import Pricer, Request
from pricing.errors import SeedrateError
from pricing.policy import Policy
from serving import comparisons
from serving.comparisons import Comparison
from serving.contract import Contract
from serving.histogram import DIFFERENCE_BPS, Histogram, family
from serving.quote_id import drawn
from serving.quote_schema import FIGURES

log = logging.getLogger("seedrate.shadow")

WAITING = 256  # quotes that may wait to be priced again
AT_ONCE = 64  # that are written together
BREATH_SECONDS = 0.002  # between two prices, for those who wait for theirs
TURN_SECONDS = 0.2  # between two looks at an empty queue
PRICED, DROPPED, REFUSED, FAILED = RESULTS = ("priced", "dropped", "refused", "failed")


@dataclass(frozen=True)
class Given:
    """A quote that was given: what was asked, by whom, and the answer."""

    body: Any
    tenant: str
    document: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True)
class Challenger:
    """A model that prices what callers never see."""

    contract: Contract
    pricer: Pricer

    def compare(self, given: Given) -> Comparison:
        """Price a quote again.

        Raises:
            SeedrateError: this model, or its policy, gives no price for it.
        """
        asked = self.contract.read(given.body)
        support = asked.support(given.now.date())
        again = self.pricer.figure(
            Request(asked.project, asked.deal, support, asked.overrides, given.tenant)
        )
        document = given.document
        return Comparison(
            quote_id=document["quote_id"],
            at=document["time"],
            instrument=document["instrument"]["kind"],
            grade=document["grade"],
            champion=document["model"]["digest"],
            challenger=self.pricer.model.digest,
            champion_bps=float(document[_figure(document)]),
            challenger_bps=again.total / 100,
            tenant=given.tenant,
        )


class Shadow:
    """Prices a share of the quotes a second time, and keeps the differences."""

    def __init__(
        self,
        file: Path,
        *,
        share: float,
        policy_in: Callable[[str], Policy],
        waiting: int = WAITING,
    ) -> None:
        """Price nothing yet.

        Args:
            file: of comparisons.
            share: of the recorded quotes, in [0, 1].
            policy_in: the policy of a currency.
            waiting: how many quotes may wait.
        """
        self._file = file
        self.share = share
        self._policy_in = policy_in
        self._queue: Queue[Given] = Queue(waiting)
        self._challenger: Challenger | None = None
        self._counts: Counter[str] = Counter()
        self._differences: dict[tuple[str, ...], Histogram] = {}
        self._ending = Event()
        self._thread = Thread(target=self._run, name="shadow", daemon=True)

    def offer(self, body: Any, tenant: str, document: Mapping[str, Any], now: datetime) -> None:
        """Take note of a quote that was given, if it is drawn; this never waits.

        Args:
            body: the request.
            tenant: whose it was.
            document: the reply.
            now: the time of the quote.
        """
        if self._challenger is None or not self._draws(document["quote_id"]):
            return
        try:
            self._queue.put_nowait(Given(body, tenant, document, now))
        except Full:
            self._counts[DROPPED] += 1

    def serve(self, model: HazardModel, pointer: Pointer | None = None) -> None:
        """Compare with a model from now on, whoever let it."""
        self._challenger = Challenger(
            Contract.of(model.column_set), Pricer(model, self._policy_in(model.currency))
        )

    @property
    def model(self) -> HazardModel | None:
        """Return the model that is compared with; None if there is none yet."""
        return self._challenger.pricer.model if self._challenger else None

    @property
    def counts(self) -> dict[str, int]:
        """Return how many of the quotes that were drawn ended how, since the start."""
        return {result: self._counts[result] for result in RESULTS}

    def start(self) -> None:
        """Price from now on, if any quote is drawn."""
        if self.share:
            self._thread.start()

    def close(self) -> None:
        """Stop; what waits is left."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def turn(self) -> None:
        """Price what waits, up to so many, and write it."""
        rows: list[Comparison] = []
        for _ in range(AT_ONCE):
            try:
                given = self._queue.get(timeout=0 if rows else TURN_SECONDS)
            except Empty:
                break
            if row := self._compared(given):
                rows.append(row)
            if self._ending.wait(BREATH_SECONDS):
                break
        if rows:
            comparisons.write(self._file, rows)

    def metrics(self) -> Iterator[Metric]:
        """Yield what Prometheus may know of it."""
        about = "Quotes drawn to be priced by the challenger too, by what became of them"
        counts = CounterMetricFamily("seedrate_shadow_quotes", about, labels=("result",))
        for result, count in self.counts.items():
            counts.add_metric((result,), count)
        yield counts
        about = "How far the challenger's price is off the champion's, in bp"
        yield family("seedrate_shadow_difference_bps", about, ("instrument",), self._differences)

    def _draws(self, quote_id: str) -> bool:
        """Say whether a quote is drawn, by other dice than those of audits."""
        return drawn(f"shadow {quote_id}", share=self.share)

    def _compared(self, given: Given) -> Comparison | None:
        challenger = self._challenger
        if (
            challenger is None
            or challenger.pricer.model.digest == given.document["model"]["digest"]
        ):
            return None  # it has become the champion
        try:
            row = challenger.compare(given)
        except SeedrateError as error:
            self._counts[REFUSED] += 1
            log.info("the challenger gives no price for %s: %s", given.document["quote_id"], error)
            return None
        except Exception:
            self._counts[FAILED] += 1
            log.exception("the challenger failed at %s", given.document["quote_id"])
            return None
        self._counts[PRICED] += 1
        seen = self._differences.setdefault((row.instrument,), Histogram(DIFFERENCE_BPS))
        seen.add(abs(row.difference_bps))
        return row

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.turn()
            except Exception:
                log.exception("comparisons were lost")
                self._ending.wait(1)


def _figure(document: Mapping[str, Any]) -> str:
    return next(name for name in FIGURES if name in document)
