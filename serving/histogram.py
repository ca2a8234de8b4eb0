"""How many amounts fell below each of a few bounds: all that is kept of a distribution."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DIFFERENCE_BPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
PRICE_BPS = (
    0.0,
    25.0,
    50.0,
    100.0,
    150.0,
    200.0,
    300.0,
    400.0,
    600.0,
    800.0,
    1200.0,
    2000.0,
    4000.0,
)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Histogram:
    """How many amounts fell below each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        """Start empty.

        Args:
            bounds: ascending, in the unit of the amounts.
        """
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, amount: float) -> None:
        """Count an amount."""
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.sum += amount

    def below(self) -> list[tuple[str, float]]:
        """Return how many amounts are at most each bound, by the bound's name."""
        names = (*map(str, self.bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


def family(
    name: str, about: str, labels: tuple[str, ...], of: Mapping[tuple[str, ...], Histogram]
) -> Metric:
    """Return histograms as prometheus_client wants them.

    Args:
        name: of the metric.
        about: what its amounts are.
        labels: names of the labels.
        of: the histograms by their labels' values.
    """
    made = HistogramMetricFamily(name, about, labels=labels)
    for values, one in tuple(of.items()):
        made.add_metric(values, one.below(), one.sum)
    return made
