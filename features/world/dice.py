"""The dice of the simulator: one seeded stream of random numbers for each thing that is drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = dict[str, Floats]  # by name, (projects,) each; NaN where undefined, _name where not told


@dataclass(frozen=True)
class Dice:
    """Draws for `projects` projects: each name has its own stream, so a new name moves no other.

    >>> bool((Dice(7, 3).normal("team") == Dice(7, 3).normal("team")).all())
    True
    >>> bool((Dice(7, 3).normal("team") == Dice(7, 3).normal("money")).any())
    False
    """

    seed: int
    projects: int

    def stream(self, name: str) -> np.random.Generator:
        """Return the stream of `name`, at its beginning."""
        key = np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])
        return np.random.Generator(np.random.PCG64(key))

    def normal(self, name: str) -> Floats:
        """Return standard normal numbers."""
        return self.stream(name).standard_normal(self.projects)

    def uniform(self, name: str) -> Floats:
        """Return numbers uniform in [0, 1)."""
        return self.stream(name).random(self.projects)

    def happens(self, name: str, probability: Floats | float) -> NDArray[np.bool_]:
        """Return whether an event of the given probability happens."""
        happened: NDArray[np.bool_] = self.uniform(name) < probability
        return happened

    def count(self, name: str, mean: Floats) -> Floats:
        """Return Poisson counts of the given mean, as floats."""
        return self.stream(name).poisson(mean).astype(np.float64)

    def choice(self, name: str, weights: tuple[float, ...]) -> Ints:
        """Return positions 0, 1, ... drawn with the given weights, which sum to 1."""
        edges = np.cumsum(weights)[:-1]
        return np.searchsorted(edges, self.uniform(name), side="right").astype(np.int64)


def logistic(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)).

    >>> float(logistic(np.array([0.0]))[0])
    0.5
    """
    result: Floats = 1.0 / (1.0 + np.exp(-x))
    return result
