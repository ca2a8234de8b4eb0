"""The numbers that a fit may choose of its networks, additive or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The size and pace of the networks.

    Attributes:
        members: networks, each on its own sample of projects; their mean is one network.
        nodes: of a column's line, at most.
        coarse: of a column's line in a pair, at most.
        pairs: of columns, at most.
        rank: products a pair.
        peaks_months: ages at which the hats of the time basis peak.
        epochs: looks at all projects, at most.
        batch: projects a step.
        rate: length of a step, of Adam.
        decay: of the weights a step, in steps.
        sample_share: of the projects that a member sees, in (0, 1].
        taught_below: projects below which the trees teach beside the outcomes.
        taught_share: of the events that are then the trees' expectation, in [0, 1].
    """

    members: int = 4
    nodes: int = 17
    coarse: int = 11
    pairs: int = 60
    rank: int = 6
    peaks_months: tuple[float, ...] = (3.0, 18.0, 60.0)
    epochs: int = 40
    batch: int = 1024
    rate: float = 3e-3
    decay: float = 1e-4
    sample_share: float = 0.8
    taught_below: int = 50_000
    taught_share: float = 0.7


@dataclass(frozen=True)
class Ensemble:
    """The size and pace of a TabM.

    Attributes:
        members: networks that share most of their weights.
        nodes: of a column's piecewise-linear encoding, at most.
        depth: numbers that a column becomes.
        width: of both hidden layers.
        dropout: share of them that is silent in a step, in [0, 1).
        epochs: looks at all projects, at most.
        batch: projects a step.
        rate: length of a step, of Adam.
        decay: of the weights a step, in steps.
    """

    members: int = 8
    nodes: int = 17
    depth: int = 8
    width: int = 64
    dropout: float = 0.1
    epochs: int = 40
    batch: int = 1024
    rate: float = 3e-3
    decay: float = 3e-4
