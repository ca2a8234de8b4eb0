"""What a search may choose for each family, and what that makes of the options of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pricing.errors import Fault, InputError
from training.options import Family, Options
from training.trees import DEEPEST, Trees
from training.tuned import Tuned

FIGURES = 3  # significant ones of a choice
PATH = 24.0  # rounds times learning rate, at most; where growing stops is asked of later vintages


@dataclass(frozen=True)
class Dimension:
    """One number that may be chosen.

    Attributes:
        part: of the options, "default" (trees of default) or "network".
        name: of the part's field.
        low: the least.
        high: the most.
        log: whether it is looked for on a logarithmic scale.
    """

    part: str
    name: str
    low: float
    high: float
    log: bool = False

    @property
    def key(self) -> str:
        """Return the name under which it is chosen."""
        return f"{self.part}.{self.name}"

    @property
    def whole(self) -> bool:
        """Return whether it counts something."""
        return isinstance(self.low, int)

    def tidy(self, value: float) -> int | float:
        """Return the value as a file shows it."""
        return int(value) if self.whole else float(f"{value:.{FIGURES}g}")

    def of(self, options: Options) -> int | float:
        """Return what the options have, or the nearest that may be chosen."""
        has: int | float = getattr(getattr(options, self.part), self.name)
        return min(max(has, self.low), self.high)


TREES = (
    Dimension("default", "depth", 2, DEEPEST),
    Dimension("default", "learning_rate", 0.04, 0.3, log=True),
    Dimension("default", "min_events", 1.0, 50.0, log=True),
    Dimension("default", "l2", 0.5, 50.0, log=True),
    Dimension("default", "column_share", 0.2, 1.0),
    Dimension("default", "sample_share", 0.5, 1.0),
)
NETWORK = (
    Dimension("network", "pairs", 0, 80),
    Dimension("network", "nodes", 5, 33),
    Dimension("network", "rate", 1e-3, 1e-2, log=True),
    Dimension("network", "decay", 1e-5, 0.3, log=True),
    Dimension("network", "taught_share", 0.0, 0.95),
)
SPACE: Mapping[Family, tuple[Dimension, ...]] = {
    Family.BOOSTED: TREES,
    Family.NETWORK: NETWORK,
    Family.BLENDED: (*TREES, *NETWORK),
}


def shipped(family: Family, options: Options) -> dict[str, int | float]:
    """Return the choice that the options make by themselves."""
    return {dimension.key: dimension.of(options) for dimension in SPACE[family]}


def chosen(options: Options, choice: Mapping[str, int | float]) -> Options:
    """Return the options with a choice made.

    A chosen pace of the trees brings as many rounds as that pace may need, and a chosen depth is
    the only one that is tried.

    Raises:
        InputError: a choice names what is not there to be chosen.
    """
    known = {dimension.key for dimension in (*TREES, *NETWORK)}
    faults = [Fault(f"chosen.{k}", f"one of {sorted(known)}", k) for k in choice if k not in known]
    if faults:
        raise InputError(faults)
    trees: Trees = replace(options.default, **_of("default", choice))
    if "default.learning_rate" in choice:
        trees = replace(trees, rounds=round(PATH / trees.learning_rate))
    return replace(
        options,
        default=trees,
        depths=(trees.depth,) if "default.depth" in choice else options.depths,
        network=replace(options.network, **_of("network", choice)),
    )


def tuned(options: Options, found: Tuned) -> Options:
    """Return the options of a fit by what a search has found."""
    made = chosen(options, found.chosen)
    return replace(made, family=Family(found.family), tuned=found)


def _of(part: str, choice: Mapping[str, int | float]) -> dict[str, Any]:
    named = ((key.partition("."), value) for key, value in choice.items())
    return {name: value for (of, _, name), value in named if of == part}
