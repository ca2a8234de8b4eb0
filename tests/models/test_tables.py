from __future__ import annotations

import numpy as np
import pytest

from models.leaves import Bag, boxes
from models.tables import AT_ONCE, Tables
from tests.models.trees import (
    BUCKETS,
    Floats,
    bag,
    booster,
    brute_force,
    margins_by_lightgbm,
    projects,
)

COLUMNS = 6
X = projects(600, COLUMNS)
BAG = bag(booster(X, seed=1), booster(X, seed=2))
BACKGROUND = projects(40, COLUMNS, seed=5)
WEIGHT = np.random.default_rng(6).uniform(0.2, 3.0, len(BACKGROUND))


def tables(of: Bag, background: Floats = BACKGROUND, weight: Floats = WEIGHT) -> Tables:
    laid = boxes(
        [of, None, None],
        columns=background.shape[1],
        buckets=len(of.baseline),
        absent=[0.0, -np.inf, 0.0],
    )
    return Tables.build(laid, background, weight)


def weights(seed: int = 0) -> Floats:
    ages = np.zeros((3, BUCKETS))
    ages[0] = np.random.default_rng(seed).uniform(-1.0, 2.0, BUCKETS)
    return ages


def test_margins_at_every_age_are_lightgbms_own() -> None:
    expected = margins_by_lightgbm(BAG, X[:100])
    t = tables(BAG)
    one_by_one = np.array([t.read(x).margins[0] for x in X[:100]])
    np.testing.assert_allclose(one_by_one, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(t.margins(X[:100])[:, 0], expected, rtol=0, atol=1e-12)


def test_a_cause_without_a_bag_keeps_its_constant() -> None:
    margins = tables(BAG).read(X[0]).margins
    assert np.all(margins[1] == -np.inf)
    assert np.all(margins[2] == 0.0)


@pytest.mark.parametrize("row", [0, 1, 2, 3])
def test_contributions_are_shapley_values_by_brute_force(row: int) -> None:
    expected = brute_force(BAG, X[row], BACKGROUND, WEIGHT, weights()[0])
    given = tables(BAG).read(X[row]).contributions(weights())
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-9)


def test_brute_force_sees_a_table_that_is_off_by_a_millionth() -> None:
    t = tables(BAG)
    t.cells[np.argmax(np.abs(t.cells))] += 1e-6
    wrong = [
        np.abs(
            t.read(x).contributions(weights()) - tables(BAG).read(x).contributions(weights())
        ).max()
        for x in X
    ]
    assert max(wrong) > 1e-9
    row = int(np.argmax(wrong))
    expected = brute_force(BAG, X[row], BACKGROUND, WEIGHT, weights()[0])
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            t.read(X[row]).contributions(weights()), expected, rtol=0, atol=1e-9
        )


def test_contributions_add_up_to_the_distance_from_the_base() -> None:
    t = tables(BAG)
    for x in X:
        reading = t.read(x)
        distance = weights()[0] @ (reading.margins[0] - t.base[0])
        assert reading.contributions(weights()).sum() == pytest.approx(distance, abs=1e-12)


def test_the_base_is_the_backgrounds_weighted_mean() -> None:
    expected = np.average(margins_by_lightgbm(BAG, BACKGROUND), axis=0, weights=WEIGHT)
    np.testing.assert_allclose(tables(BAG).base[0], expected, rtol=0, atol=1e-12)


def test_a_row_of_double_weight_counts_as_two_rows() -> None:
    double = np.where(np.arange(len(BACKGROUND)) == 3, 2.0, 1.0)
    repeated = np.vstack([BACKGROUND, BACKGROUND[3:4]])
    by_weight = tables(BAG, BACKGROUND, double).cells
    by_rows = tables(BAG, repeated, np.ones(len(repeated))).cells
    np.testing.assert_allclose(by_weight, by_rows, rtol=0, atol=1e-15)


def test_a_background_is_counted_in_parts_and_none_of_its_rows_is_left_out() -> None:
    times = 2 * AT_ONCE // len(BACKGROUND) + 1
    repeated = np.tile(BACKGROUND, (times, 1))
    assert len(repeated) % AT_ONCE  # the last part is a smaller one
    once, often = tables(BAG), tables(BAG, repeated, np.tile(WEIGHT, times))
    np.testing.assert_allclose(often.cells, once.cells, rtol=0, atol=1e-12)
    np.testing.assert_allclose(often.base, once.base, rtol=0, atol=1e-12)


def test_a_column_no_tree_uses_contributes_exactly_nothing() -> None:
    still = X.copy()
    still[:, 4] = 1.0
    of = bag(booster(still))
    assert tables(of).read(X[0]).contributions(weights())[4] == 0.0


def test_columns_that_do_the_same_get_the_same() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 2))
    of = bag(booster(np.column_stack([x, x, x]), trees=6, depth=2))
    text = of.boosters[0]
    mirrored = Bag((text, _swapped(text, 0, 1)), of.baseline)  # symmetric in columns 0 and 1
    same = rng.standard_normal((50, 6))
    same[:, 1] = same[:, 0]
    phi = tables(mirrored, same, np.ones(50)).read(same[0]).contributions(weights())
    assert phi[0] == pytest.approx(phi[1], abs=1e-12)


def _swapped(text: str, a: int, b: int) -> str:
    lines = []
    for line in text.split("\n"):
        if line.startswith("split_feature="):
            columns = [{a: b, b: a}.get(int(c), int(c)) for c in line[14:].split()]
            line = "split_feature=" + " ".join(map(str, columns))
        lines.append(line)
    return "\n".join(lines)


def test_shap_agrees_on_a_background_of_a_hundred_rows() -> None:
    import lightgbm
    import shap

    background = projects(100, COLUMNS, seed=8)  # shap silently cuts anything longer to 100 rows
    t = tables(BAG, background, np.ones(100))
    for member, text in enumerate(BAG.boosters):
        alone = Bag((text,), BAG.baseline)
        t = tables(alone, background, np.ones(100))
        for k in range(BUCKETS):
            with_age = np.column_stack([background, np.full(100, float(k))])
            explainer = shap.TreeExplainer(
                lightgbm.Booster(model_str=text),
                data=with_age,
                feature_perturbation="interventional",
            )
            asked = np.column_stack([X[:5], np.full(5, float(k))])
            expected = explainer.shap_values(asked, check_additivity=False)[:, :COLUMNS]
            ages = np.zeros((3, BUCKETS))
            ages[0, k] = 1.0
            given = np.array([t.read(x).contributions(ages) for x in X[:5]])
            np.testing.assert_allclose(given, expected, rtol=0, atol=1e-7, err_msg=str(member))


def test_shap_disagrees_with_another_background() -> None:
    import lightgbm
    import shap

    background = projects(100, COLUMNS, seed=8)
    alone = Bag(BAG.boosters[:1], BAG.baseline)
    t = tables(alone, background[:99], np.ones(99))
    explainer = shap.TreeExplainer(
        lightgbm.Booster(model_str=BAG.boosters[0]),
        data=np.column_stack([background, np.zeros(100)]),
        feature_perturbation="interventional",
    )
    expected = explainer.shap_values(np.append(X[0], 0.0)[None], check_additivity=False)[
        0, :COLUMNS
    ]
    ages = np.zeros((3, BUCKETS))
    ages[0, 0] = 1.0
    assert np.abs(t.read(X[0]).contributions(ages) - expected).max() > 1e-4


def test_margins_are_what_pred_contrib_adds_up_to() -> None:
    import lightgbm

    one = lightgbm.Booster(model_str=BAG.boosters[0])
    t = tables(Bag(BAG.boosters[:1], BAG.baseline))
    for k in range(BUCKETS):
        x = np.column_stack([X[:50], np.full(50, float(k))])
        expected = np.asarray(one.predict(x, pred_contrib=True)).sum(axis=1) + BAG.baseline[k]
        given = t.margins(X[:50])[:, 0, k]
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-10)


def test_the_check_of_margins_sees_a_leaf_that_is_off() -> None:
    import lightgbm

    one = lightgbm.Booster(model_str=BAG.boosters[0])
    t = tables(Bag(BAG.boosters[:1], BAG.baseline))
    t.boxes.value[:] += 1e-6
    x = np.column_stack([X[:50], np.zeros(50)])
    expected = np.asarray(one.predict(x, pred_contrib=True)).sum(axis=1) + BAG.baseline[0]
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(t.margins(X[:50])[:, 0, 0], expected, rtol=0, atol=1e-10)
