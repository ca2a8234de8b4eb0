from __future__ import annotations

import pytest

from pricing.errors import InputError
from training.trees import DEEPEST, Trees


def test_a_tree_that_could_not_be_served_is_refused_with_every_fault() -> None:
    with pytest.raises(InputError) as error:
        Trees(0, 10, 9, 0.1, sample_share=1.5)
    assert [fault.field for fault in error.value.faults] == ["sample_share", "members", "depth"]


def test_the_age_bucket_is_always_free() -> None:
    parameters = Trees(1, 10, 3, 0.1).parameters([1, -1], seed=0, threads=1)
    assert parameters["monotone_constraints"] == [1, -1, 0]


def test_a_tree_has_at_most_sixty_four_leaves() -> None:
    for depth in range(1, DEEPEST + 1):
        leaves = Trees(1, 1, depth, 0.1).parameters([], seed=0, threads=1)["num_leaves"]
        assert leaves == min(2**depth, 64)
