"""What Prometheus may read of a server: counts and latencies, labelled by what is bounded.

Counts are kept here and handed over when they are read. (prometheus_client's own counters, under
BentoML's setting for many processes, write every count to a file: a tenth of a quote's time.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from models.audit import Audit
from serving.answered import Answered
from serving.contract import Asked
from serving.histogram import DIFFERENCE_BPS, PRICE_BPS, ROWS, Histogram, family
from serving.intake import Intake
from serving.ledger.entry import FIGURES

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Gauges(Collector):
    """The measurements of one server process, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._answers: dict[tuple[str, str, int], int] = defaultdict(int)
        self._refusals: dict[tuple[str, ...], int] = defaultdict(int)
        self._routes: dict[tuple[str, ...], Histogram] = defaultdict(Histogram)
        self._stages: dict[tuple[str, ...], Histogram] = defaultdict(Histogram)
        self._prices: dict[tuple[str, ...], Histogram] = defaultdict(lambda: Histogram(PRICE_BPS))
        self._grades: dict[int, int] = defaultdict(int)
        self._audits: dict[tuple[str, ...], Histogram] = defaultdict(
            lambda: Histogram(DIFFERENCE_BPS)
        )
        self._alarms: dict[tuple[str, ...], int] = defaultdict(int)
        self._rows, self._commits, self._waits = Histogram(ROWS), Histogram(), Histogram()
        self.intake = Intake()
        self._waiting: Callable[[], float] = lambda: 0
        self._lag: Callable[[], float] = lambda: 0
        self._ready: Callable[[], float] = lambda: 0
        self._entries: Callable[[], float] = lambda: 0
        self._anchored: Callable[[], float] = lambda: 0
        self._in_progress: Callable[[], float] = lambda: 0
        self._unaudited: Callable[[], float] = lambda: 0
        self._turned_away: Callable[[], float] = lambda: 0
        self._model: dict[str, str] = {}
        self._others: list[Callable[[], Iterable[Metric]]] = []
        self._build: dict[str, str] = {}

    def request(self, answered: Answered) -> None:
        """Count one answer."""
        route, code = answered.route, answered.code
        self._answers[route, answered.method, answered.status] += 1
        self._routes[route,].add(answered.seconds)
        if code:
            self._refusals[code,] += 1

    def stage(self, stage: str, seconds: float) -> None:
        """Count one stage of one quote."""
        self._stages[stage,].add(seconds)

    def audit(self, method: str, audit: Audit) -> None:
        """Count one audit of an explanation, by the method that made its numbers."""
        self._audits[method,].add(audit.difference_bps)
        self._alarms[method,] += audit.alarm

    def quoted(self, asked: Asked, reply: Mapping[str, Any]) -> None:
        """Count the price, the grade and the missing inputs of one quote that is to be recorded."""
        for figure in FIGURES:
            if figure in reply:
                self._prices[asked.deal.kind, figure].add(float(reply[figure]))
        if "grade" in reply:
            self._grades[reply["grade"]] += 1
        self.intake.add(asked.project)

    def commit(self, rows: int, seconds: float, waited_seconds: float) -> None:
        """Count one commit of the ledger, and how long its oldest row had waited."""
        self._rows.add(rows)
        self._commits.add(seconds)
        self._waits.add(waited_seconds)

    def build(self, **says: str) -> None:
        """Say which program this is."""
        self._build = says

    def model(self, *, name: str, version: str, digest: str) -> None:
        """Say which model serves."""
        self._model = {"name": name, "version": version, "digest": digest}

    def watch(
        self,
        *,
        waiting: Callable[[], float],
        lag: Callable[[], float],
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
        self._waiting, self._lag, self._ready = waiting, lag, ready
        self._entries, self._anchored = entries, anchored

    def add(self, others: Callable[[], Iterable[Metric]]) -> None:
        """Say where others keep measurements of their own."""
        self._others.append(others)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield everything as prometheus_client wants it."""
        yield from self._of_requests()
        yield from self._of_quotes()
        yield from self._of_the_ledger()
        yield GaugeMetricFamily("seedrate_ready", "1 if quotes can be made", self._ready())
        yield InfoMetricFamily("seedrate_model", "The model that serves", self._model)
        yield InfoMetricFamily("seedrate_build", "The program that serves", self._build)

    def _of_requests(self) -> Iterator[Metric]:
        answers: dict[tuple[str, ...], int] = {
            (route, method, str(status)): count
            for (route, method, status), count in tuple(self._answers.items())
        }
        about = "Answers given, by route template, method and status"
        yield _counter("seedrate_requests", about, ("route", "method", "status"), answers)
        about = "Requests refused, by the code of the problem"
        yield _counter("seedrate_refusals", about, ("code",), self._refusals)
        about = "Seconds from a request's first byte to its answer"
        yield family("seedrate_request_seconds", about, ("route",), self._routes)
        about = "Seconds a quote spends in a stage: check, price, write, record"
        yield family("seedrate_stage_seconds", about, ("stage",), self._stages)

        about = "Requests that were refused unread, since too many were on their way"
        yield CounterMetricFamily("seedrate_turned_away", about, self._turned_away())
        about = "Requests for prices in progress"
        yield GaugeMetricFamily("seedrate_in_progress", about, self._in_progress())

    def _of_quotes(self) -> Iterator[Metric]:
        about = "Prices of quotes that are recorded, in bp, by instrument and figure"
        yield family("seedrate_price_bps", about, ("instrument", "figure"), self._prices)
        grades: dict[tuple[str, ...], int] = {
            (str(grade),): count for grade, count in tuple(self._grades.items())
        }
        about = "Quotes that are recorded, by the grade of the PD within 12 months"
        yield _counter("seedrate_grades", about, ("grade",), grades)
        places = tuple(self.intake.counts())
        about = "Inputs that could have come with quotes, by group and source of columns"
        asked: dict[tuple[str, ...], int] = {place: count for place, count, _ in places}
        yield _counter("seedrate_inputs", about, ("group", "source"), asked)
        about = "Inputs that did not come with quotes, by group and source of columns"
        missing: dict[tuple[str, ...], int] = {place: count for place, _, count in places}
        yield _counter("seedrate_inputs_missing", about, ("group", "source"), missing)
        about = "How far the path is off the exact values of groups, in bp, the mean of a quote"
        yield family("seedrate_audit_difference_bps", about, ("method",), self._audits)
        about = "Audits whose difference is above its limit"
        yield _counter("seedrate_audit_alarms", about, ("method",), self._alarms)
        about = "Quotes that were drawn for an audit and got none, since there was no time"
        yield CounterMetricFamily("seedrate_audits_left_out", about, self._unaudited())

    def _of_the_ledger(self) -> Iterator[Metric]:
        about = "Rows of a commit of the ledger"
        yield family("seedrate_ledger_commit_rows", about, (), {(): self._rows})
        about = "Seconds that a commit of the ledger takes, until it is durable"
        yield family("seedrate_ledger_commit_seconds", about, (), {(): self._commits})
        about = "Seconds from a quote's time until it is durable, of the oldest of a commit"
        yield family("seedrate_ledger_wait_seconds", about, (), {(): self._waits})
        about = "Quotes that wait to be recorded"
        yield GaugeMetricFamily("seedrate_ledger_waiting", about, self._waiting())
        about = "Age of the oldest quote that is not durable yet; 0: all are"
        yield GaugeMetricFamily("seedrate_ledger_lag_seconds", about, self._lag())
        about = "Entries of the ledger, as far as this server has seen"
        yield GaugeMetricFamily("seedrate_ledger_entries", about, self._entries())
        about = "When outsiders attested the ledger last, in seconds since 1970; 0: never"
        yield GaugeMetricFamily("seedrate_ledger_anchored_seconds", about, self._anchored())
        for others in self._others:
            yield from others()


def _counter(
    name: str, about: str, labels: tuple[str, ...], of: Mapping[tuple[str, ...], int]
) -> Metric:
    made = CounterMetricFamily(name, about, labels=labels)
    for values, count in tuple(of.items()):
        made.add_metric(values, count)
    return made
