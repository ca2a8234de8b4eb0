"""How a bag of trees is grown: the numbers a fit may choose, and what they become in LightGBM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pricing.errors import Fault, InputError

DEEPEST = 7  # a leaf's Shapley table has 2^depth rows
LEAVES = 64  # 127 nodes a tree


@dataclass(frozen=True)
class Trees:
    """The size and pace of one bag.

    Attributes:
        members: boosters, each on its own sample of projects; the bag is their mean.
        rounds: trees of a member, at most.
        depth: of a tree, at most.
        learning_rate: the step of a tree.
        sample_share: of the projects that a member sees, in (0, 1].
        column_share: of the columns that a tree sees, in (0, 1].
        min_events: events that a leaf must expect, about; in weighted projects.
        l2: penalty on leaf values, in expected events.
        bins: steps of a column's histogram.
    """

    members: int
    rounds: int
    depth: int
    learning_rate: float
    sample_share: float = 0.8
    column_share: float = 0.5
    min_events: float = 10.0
    l2: float = 5.0
    bins: int = 127

    def __post_init__(self) -> None:
        """Refuse what could not be served, every fault at once."""
        shares = {"sample_share": self.sample_share, "column_share": self.column_share}
        counts = {"members": self.members, "rounds": self.rounds}
        faults = [Fault(n, "in (0, 1]", str(s)) for n, s in shares.items() if not 0 < s <= 1]
        faults += [Fault(n, "at least 1", str(c)) for n, c in counts.items() if c < 1]
        if not 1 <= self.depth <= DEEPEST:
            faults.append(Fault("depth", f"from 1 to {DEEPEST}", str(self.depth)))
        if faults:
            raise InputError(faults)

    def of_size(self, *, depth: int, rounds: int) -> Trees:
        """Return the same pace with another size."""
        return replace(self, depth=depth, rounds=rounds)

    def parameters(self, signs: Sequence[int], *, seed: int, threads: int) -> dict[str, Any]:
        """Return LightGBM's parameters of one member, for any objective.

        Args:
            signs: +1, -1 or 0 a column, without the age bucket, which is always free.
            seed: of the member.
            threads: LightGBM waits busily for its threads, so more than there are cores costs
                tenfold.
        """
        return {
            "verbosity": -1,
            "num_threads": threads,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": min(2**self.depth, LEAVES),
            "feature_fraction": self.column_share,
            "min_data_in_leaf": 1,  # rows do not count, weights do
            "min_sum_hessian_in_leaf": self.min_events,
            "lambda_l2": self.l2,
            "max_bin": self.bins,
            "monotone_constraints": [*signs, 0],
            "monotone_constraints_method": "intermediate",  # "advanced" lets violations through
        }
