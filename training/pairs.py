"""Which columns act together: asked of the trees, which find out by themselves."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np

from models.leaves import Bag, leaves_of


def strongest(bag: Bag, *, columns: int, buckets: int, most: int) -> list[tuple[int, int]]:
    """Return the pairs of columns that most leaves ask together, each by the size of its value.

    Args:
        bag: of the hazard of default.
        columns: of the encoded projects, without the age bucket.
        buckets: of age; a leaf counts for the ages in which it holds.
        most: pairs to return.
    """
    strength: Counter[tuple[int, int]] = Counter()
    for text in bag.boosters:
        leaves = leaves_of(text, columns=columns, buckets=buckets)
        weights = (np.abs(leaves.value) * (leaves.age_to - leaves.age_from)).tolist()
        own = np.split(leaves.column, np.cumsum(leaves.depth)[:-1])
        for weight, asked in zip(weights, own, strict=True):
            for pair in combinations(asked.tolist(), 2):
                strength[pair] += weight
    return [pair for pair, _ in strength.most_common(most)]
