"""What a fit may choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from training.shape import Shape
from training.split import Labels
from training.trees import Trees
from training.tuned import Tuned


class Family(StrEnum):
    """Who speaks of the hazard of default; of exits and losses trees do in every family."""

    BOOSTED = "boosted"  # trees
    NETWORK = "network"  # an additive network with pairs
    BLENDED = "blended"  # the mean of both

    @property
    def trees(self) -> float:
        """Return the share of the log hazard that the trees speak for."""
        return {"boosted": 1.0, "network": 0.0, "blended": 0.5}[self.value]


@dataclass(frozen=True)
class Options:
    """What a fit may choose; the defaults suit a few thousand to a few hundred thousand projects.

    Attributes:
        name: under which the model is registered.
        seed: of every draw.
        threads: of LightGBM.
        labels: outcomes of the training projects that may be known.
        family: who speaks of the hazard of default.
        default: trees of the default hazard, at most.
        depths: tried for them.
        exit: trees of the exit hazard, at most.
        lgd: trees of the loss given default.
        network: size and pace of the networks.
        cell_share: of optional cells that go missing in training.
        source_share: of whole sources.
        level_months: length of the calendar window of the overlay.
        level_prior: defaults that speak for no overlay at all.
        level_kept: share of the level of that window which the coming years are expected to have.
        background: projects that a price is compared with, at most.
        riskiest_background: 36-month default probability above which a project is no comparison:
            such a project would not be quoted.
        tuned: the search that chose sizes; None as shipped or by hand.
    """

    name: str = "seedrate"
    seed: int = 20
    threads: int = 1
    labels: Labels = Labels.AS_KNOWN
    family: Family = Family.BOOSTED
    default: Trees = field(default_factory=lambda: Trees(6, 160, 7, 0.15))
    depths: tuple[int, ...] = (3, 7)
    exit: Trees = field(default_factory=lambda: Trees(2, 60, 3, 0.15))
    lgd: Trees = field(default_factory=lambda: Trees(2, 40, 3, 0.10))
    network: Shape = field(default_factory=Shape)
    cell_share: float = 0.01
    source_share: float = 0.02
    level_months: int = 24
    level_prior: float = 50.0
    level_kept: float = 0.5
    background: int = 8000
    riskiest_background: float = 0.5
    tuned: Tuned | None = None
