"""Boosters are read as LightGBM itself dumps them, to the last bit, and damaged ones refused."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np
import pytest

from models.booster import trees
from models.leaves import leaves_of
from pricing.errors import ModelError
from tests.models.trees import BUCKETS, Floats, booster, projects

COLUMNS = 6
X = projects(600, COLUMNS)
TEXT = booster(X).model_to_string()

Path = list[tuple[Mapping[str, Any], bool]]
Box = dict[int, tuple[float, float, bool]]


def dumped(node: Mapping[str, Any], path: Path) -> Iterator[tuple[float, Path]]:
    """Yield the leaves below a node of LightGBM's dump, and the way to each."""
    if "split_feature" not in node:
        yield float(node["leaf_value"]), path
        return
    yield from dumped(node["left_child"], [*path, (node, True)])
    yield from dumped(node["right_child"], [*path, (node, False)])


def expected(of: lightgbm.Booster, columns: int) -> list[tuple[float, int, int, Box]]:
    """Return value, ages and box of every leaf that can be reached, by LightGBM's dump."""
    out: list[tuple[float, int, int, Box]] = []
    for tree in of.dump_model()["tree_info"]:
        for value, path in dumped(tree["tree_structure"], []):
            box: Box = {}
            ages = [0, BUCKETS]
            for node, left in path:
                column, cut = int(node["split_feature"]), float(node["threshold"])
                if column == columns:
                    side = 1 if left else 0
                    ages[side] = (min if left else max)(ages[side], math.floor(cut) + 1)
                    continue
                low, high, missing = box.get(column, (-math.inf, math.inf, True))
                nan = node["missing_type"] == "NaN"
                passes = (bool(node["default_left"]) if nan else cut >= 0.0) == left
                low, high = (low, min(high, cut)) if left else (max(low, cut), high)
                box[column] = low, high, missing and passes
            if ages[0] < ages[1]:
                out.append((value, ages[0], ages[1], box))
    return out


def given(text: str, columns: int) -> list[tuple[float, int, int, Box]]:
    found, out, at = leaves_of(text, columns=columns, buckets=BUCKETS), [], 0
    for leaf, depth in enumerate(found.depth.tolist()):
        own = slice(at, at + depth)
        ends = zip(
            found.low[own].tolist(), found.high[own].tolist(), found.missing[own], strict=True
        )
        box = dict(zip(found.column[own].tolist(), ends, strict=True))
        assert list(box) == sorted(box)
        value, first, last = found.value[leaf], found.age_from[leaf], found.age_to[leaf]
        out.append((float(value), int(first), int(last), box))
        at += depth
    return out


def grown(x: Floats, categories: Sequence[int] = (), **parameters: Any) -> lightgbm.Booster:
    """Return a booster of any kind on projects and ages."""
    rng = np.random.default_rng(1)
    age = rng.integers(0, BUCKETS, len(x)).astype(float)
    y = rng.poisson(np.exp(0.3 * np.nan_to_num(x[:, 0]) + 0.3 * (age > 1)))
    own = {"objective": "poisson", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3}
    own |= parameters
    data = lightgbm.Dataset(
        np.column_stack([x, age]), y, params=own, categorical_feature=list(categories)
    )
    return lightgbm.train(own, data, 5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("whole", [True, False])
def test_leaves_are_those_of_lightgbms_dump_bit_by_bit(seed: int, whole: bool) -> None:
    x = projects(500, COLUMNS, seed=seed)
    if whole:  # nothing is missing: splits are of the kind None
        x = np.nan_to_num(x)
    one = booster(x, depth=3 + seed % 3, seed=seed)
    assert given(one.model_to_string(), COLUMNS) == expected(one, COLUMNS)


def test_thresholds_at_infinity_are_read_as_lightgbm_dumps_them() -> None:
    of = _sized(TEXT.replace(*_moved("threshold", "inf"), 1))
    assert given(of, COLUMNS) == expected(lightgbm.Booster(model_str=of), COLUMNS)
    assert given(of, COLUMNS) != given(TEXT, COLUMNS)


def _moved(field: str, number: str) -> tuple[str, str]:
    """Return the first line of a field, and the same with another first number."""
    found = re.search(rf"^{field}=.*$", TEXT, re.MULTILINE)
    assert found
    return found[0], re.sub(r"=\S+", f"={number}", found[0], count=1)


def _sized(text: str) -> str:
    """Return a text with the sizes of its trees set right, as LightGBM needs them."""
    body = text[text.index("Tree=0") : text.index("end of trees")]
    sizes = [len(part.encode()) for part in re.split(r"(?=^Tree=)", body, flags=re.MULTILINE)[1:]]
    return re.sub(r"tree_sizes=.*", "tree_sizes=" + " ".join(map(str, sizes)), text)


def test_a_tree_of_one_leaf_holds_everywhere() -> None:
    one = grown(np.zeros((50, COLUMNS)), min_data_in_leaf=100, num_leaves=2)
    flat = lightgbm.Booster(model_str=one.model_to_string())
    assert given(one.model_to_string(), COLUMNS) == expected(flat, COLUMNS)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"zero_as_missing": True}, "splits must be '<='"),
        ({"categories": [COLUMNS], "max_cat_to_onehot": 9}, "no categories"),
        ({"linear_tree": True, "objective": "regression"}, "constant leaves"),
    ],
)
def test_trees_of_another_kind_are_refused(parameters: dict[str, Any], told: str) -> None:
    x = projects(600, COLUMNS)
    x[:, 1] = np.abs(np.nan_to_num(x[:, 1]))
    x[:, 0] = np.where(np.random.default_rng(0).random(600) < 0.4, 0.0, x[:, 0])
    with pytest.raises(ModelError, match=told):
        trees(grown(x, **parameters).model_to_string())


def test_a_leaf_of_too_many_columns_is_refused() -> None:
    x = np.nan_to_num(projects(2000, 12))
    deep = grown(x).model_to_string()
    chain = _chain(deep, 9)
    with pytest.raises(ModelError, match="at most 8 columns"):
        leaves_of(chain, columns=12, buckets=BUCKETS)
    assert len(leaves_of(_chain(deep, 8), columns=12, buckets=BUCKETS).value) == 9


def _chain(text: str, nodes: int) -> str:
    """Return a booster of one tree that asks one column after the other."""
    head = re.sub(r"tree_sizes=.*", "tree_sizes=0", text[: text.index("Tree=0")])
    lefts = [*range(1, nodes), -1]
    lines = {
        "num_leaves": [nodes + 1],
        "num_cat": [0],
        "split_feature": range(nodes),
        "threshold": [0.5] * nodes,
        "decision_type": [2] * nodes,
        "left_child": lefts,
        "right_child": [-2 - node for node in range(nodes)],
        "leaf_value": [0.1] * (nodes + 1),
        "is_linear": [0],
    }
    told = "\n".join(f"{name}={' '.join(map(str, each))}" for name, each in lines.items())
    return f"{head}Tree=0\n{told}\n\n\nend of trees\n"


@pytest.mark.parametrize(
    ("field", "number", "told"),
    [
        ("left_child", "0", "hang together"),  # a node that is its own child
        ("left_child", "99", "a node or a leaf of its tree"),
        ("right_child", "-99", "a node or a leaf of its tree"),
        ("split_feature", "7", "6 columns and the age"),
        ("split_feature", "-1", "6 columns and the age"),
        ("threshold", "nan", "must be numbers"),
        ("leaf_value", "inf", "must be numbers"),
        ("leaf_value", "word", "must hold numbers"),
        ("leaf_value", "0.1 0.2", "must have its nodes"),
        ("num_leaves", "99999999999", "must have its nodes"),
        ("num_leaves", "0", "must have its nodes"),
        ("num_cat", "1", "no categories"),
    ],
)
def test_a_tree_that_is_none_is_refused(field: str, number: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        leaves_of(TEXT.replace(*_moved(field, number), 1), columns=COLUMNS, buckets=BUCKETS)


def test_damaged_texts_are_refused_or_read_and_never_end_the_process() -> None:
    """LightGBM's own parser ends the process on most of them."""
    dice, refused = random.Random(0), 0
    for _ in range(400):
        text = list(TEXT)
        for _ in range(dice.randint(1, 4)):
            at, by = dice.randrange(len(text)), dice.choice(["", "9", "-", " ", "\n", "="])
            text[at : at + dice.choice([1, 1, 200])] = by
        try:
            leaves_of("".join(text), columns=COLUMNS, buckets=BUCKETS)
        except ModelError:
            refused += 1
    assert refused > 100
    for share in range(1, 50):
        with pytest.raises(ModelError):
            trees(TEXT[: TEXT.index("end of trees") * share // 50])
