"""What Prometheus may read of a server: counts and latencies, labelled by what is bounded.

Counts are kept here and handed over when they are read. (prometheus_client's own counters, under
BentoML's setting for many processes, write every count to a file: a tenth of a quote's time.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from models.audit import Audit

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Seen:
    """How many amounts fell below each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, amount: float) -> None:
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.sum += amount

    def below(self) -> list[tuple[str, float]]:
        names = (*map(str, self.bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


class Gauges(Collector):
    """The measurements of one server process, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._answers: dict[tuple[str, str, str], int] = defaultdict(int)
        self._routes: dict[str, _Seen] = defaultdict(_Seen)
        self._stages: dict[str, _Seen] = defaultdict(_Seen)
        self._audits: dict[str, _Seen] = defaultdict(lambda: _Seen(BPS))
        self._alarms: dict[str, int] = defaultdict(int)
        self._waiting: Callable[[], float] = lambda: 0
        self._ready: Callable[[], float] = lambda: 0
        self._entries: Callable[[], float] = lambda: 0
        self._anchored: Callable[[], float] = lambda: 0
        self._in_progress: Callable[[], float] = lambda: 0
        self._unaudited: Callable[[], float] = lambda: 0
        self._turned_away: Callable[[], float] = lambda: 0
        self._model: dict[str, str] = {}

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._answers[route, method, str(status)] += 1
        self._routes[route].add(seconds)

    def stage(self, stage: str, seconds: float) -> None:
        """Count one stage of one quote."""
        self._stages[stage].add(seconds)

    def audit(self, method: str, audit: Audit) -> None:
        """Count one audit of an explanation, by the method that made its numbers."""
        self._audits[method].add(audit.difference_bps)
        self._alarms[method] += audit.alarm

    def model(self, *, name: str, version: str, digest: str) -> None:
        """Say which model serves."""
        self._model = {"name": name, "version": version, "digest": digest}

    def watch(
        self,
        *,
        waiting: Callable[[], float],
        ready: Callable[[], float],
        entries: Callable[[], float],
        anchored: Callable[[], float],
        in_progress: Callable[[], float],
        unaudited: Callable[[], float],
        turned_away: Callable[[], float],
    ) -> None:
        """Say where the ledger's queue, the readiness and the ledger's state are read."""
        self._in_progress, self._unaudited = in_progress, unaudited
        self._turned_away = turned_away
        self._waiting, self._ready = waiting, ready
        self._entries, self._anchored = entries, anchored

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield everything as prometheus_client wants it."""
        answers = CounterMetricFamily(
            "seedrate_requests",
            "Answers given, by route template, method and status",
            labels=("route", "method", "status"),
        )
        for labels, count in tuple(self._answers.items()):
            answers.add_metric(labels, count)
        yield answers
        about = "Seconds from a request's first byte to its answer"
        yield _histogram("seedrate_request_seconds", about, "route", self._routes)
        about = "Seconds a quote spends in a stage: check, price, write, record"
        yield _histogram("seedrate_stage_seconds", about, "stage", self._stages)
        about = "How far the path is off the exact values of groups, in bp, the mean of a quote"
        yield _histogram("seedrate_audit_difference_bps", about, "method", self._audits)
        alarms = CounterMetricFamily(
            "seedrate_audit_alarms",
            "Audits whose difference is above its limit",
            labels=("method",),
        )
        for method, count in tuple(self._alarms.items()):
            alarms.add_metric((method,), count)
        yield alarms
        about = "Quotes that were drawn for an audit and got none, since there was no time"
        yield CounterMetricFamily("seedrate_audits_left_out", about, self._unaudited())
        about = "Requests that were refused unread, since too many were on their way"
        yield CounterMetricFamily("seedrate_turned_away", about, self._turned_away())
        about = "Requests for prices in progress"
        yield GaugeMetricFamily("seedrate_in_progress", about, self._in_progress())
        about = "Quotes that wait to be recorded"
        yield GaugeMetricFamily("seedrate_ledger_waiting", about, self._waiting())
        about = "Entries of the ledger, as far as this server has seen"
        yield GaugeMetricFamily("seedrate_ledger_entries", about, self._entries())
        about = "When outsiders attested the ledger last, in seconds since 1970; 0: never"
        yield GaugeMetricFamily("seedrate_ledger_anchored_seconds", about, self._anchored())
        yield GaugeMetricFamily("seedrate_ready", "1 if quotes can be made", self._ready())
        yield InfoMetricFamily("seedrate_model", "The model that serves", self._model)


def _histogram(name: str, about: str, label: str, by_label: dict[str, _Seen]) -> Metric:
    family = HistogramMetricFamily(name, about, labels=(label,))
    for value, seen in tuple(by_label.items()):
        family.add_metric((value,), seen.below(), seen.sum)
    return family
