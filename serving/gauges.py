"""What Prometheus may read of a server: counts and latencies, labelled by what is bounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Gauges:
    """The measurements of one server process, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "seedrate_requests",
            "Answers given, by route template, method and status",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "seedrate_request_seconds",
            "Seconds from a request's first byte to its answer",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "seedrate_stage_seconds",
            "Seconds a quote spends in a stage: check, price, write, record",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "seedrate_journal_waiting", "Quotes that wait to be recorded", registry=registry
        )
        self._ready = Gauge("seedrate_ready", "1 if quotes can be made", registry=registry)
        self._model = Info("seedrate_model", "The model that serves", registry=registry)
        self._request = cache(self._requests.labels)
        self._route = cache(self._seconds.labels)
        self._stage = cache(self._stages.labels)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._request(route, method, status).inc()
        self._route(route).observe(seconds)

    def stage(self, stage: str, seconds: float) -> None:
        """Count one stage of one quote."""
        self._stage(stage).observe(seconds)

    def model(self, *, name: str, version: str, digest: str) -> None:
        """Say which model serves."""
        self._model.info({"name": name, "version": version, "digest": digest})

    def watch(self, *, waiting: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Say where the journal's queue and the readiness are read."""
        self._waiting.set_function(waiting)
        self._ready.set_function(ready)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)
