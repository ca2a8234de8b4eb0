"""A TabM's hybrids and its explained price, against brute force."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from features.book import read_book
from features.sets import load
from features.simulate import simulate
from models import artifact
from models.additive import knots_of
from models.explain import attribute
from models.hazard import HazardModel
from models.leaves import Floats
from models.shapley import Game, coalitions
from models.tables import Tables
from models.tabm import Compared, Tabm, references
from pricing import policy
from pricing.errors import ModelError
from pricing.instrument import Instrument
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from training.fit import fit
from training.options import Family, Options
from training.shape import Ensemble
from training.trees import Trees

GROUPS = load("early_stage").groups
SMALL = Trees(1, 10, 2, 0.2)
OPTIONS = Options(
    family=Family.TABM,
    exit=SMALL,
    lgd=SMALL,
    tabm=Ensemble(members=3, width=8, epochs=6),
    background=400,
)
COLUMNS, MEMBERS, WIDTH, BUCKETS = 6, 3, 5, 4
OWNERS = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1]], np.bool_)


def projects(rows: int, seed: int = 0) -> Floats:
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(rows, COLUMNS))
    return np.where(dice.random(x.shape) < 0.15, np.nan, x)


@pytest.fixture
def tabm() -> Tabm:
    dice, knots = np.random.default_rng(1), knots_of(projects(200), 4)
    return Tabm(
        knots=knots,
        first=dice.normal(size=(COLUMNS, 5, MEMBERS, WIDTH)),
        bias=dice.normal(size=WIDTH),
        hidden=dice.normal(size=(WIDTH, WIDTH)),
        turn=dice.normal(size=WIDTH),
        heads=dice.normal(size=(MEMBERS, WIDTH, BUCKETS)) / 10,
        baseline=dice.normal(size=(MEMBERS, BUCKETS)) - 4,
    )


def by_hand(of: Tabm, x: Floats) -> Floats:
    """Return the log hazards of one project as the formula says: column by column, in loops."""
    out = np.zeros(BUCKETS)
    for member in range(MEMBERS):
        look = of.bias.copy()
        for column, value in enumerate(x):
            nodes = of.first[column, :, member]
            knots = of.knots[column][np.isfinite(of.knots[column])]
            if np.isnan(value):
                look += nodes[-1]
            else:
                look += [np.interp(value, knots, nodes[: len(knots), h]) for h in range(WIDTH)]
        deep = np.maximum(np.maximum(look, 0) @ of.hidden + of.turn, 0)
        out += (deep @ of.heads[member] + of.baseline[member]) / MEMBERS
    return out


def test_it_says_what_its_formula_says(tabm: Tabm) -> None:
    x = projects(300, seed=2)
    expected = [by_hand(tabm, row) for row in x]
    np.testing.assert_allclose(tabm.margins(x), expected, rtol=0, atol=1e-12)
    assert tabm.margins(x[:0]).shape == (0, BUCKETS)


def test_hybrids_are_rows_with_some_columns_of_the_project(tabm: Tabm) -> None:
    compared, x = Compared.build(tabm, projects(5, seed=3)), projects(1, seed=4)[0]
    game = Game(OWNERS, coalitions(3))
    for inside, found in zip(game.columns, compared.hybrids(x, game), strict=True):
        rows = np.where(inside, x, compared.references)
        expected = np.mean([by_hand(tabm, row) for row in rows], axis=0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_nobody_is_the_base_and_everybody_the_project(tabm: Tabm) -> None:
    compared, x = Compared.build(tabm, projects(5, seed=3)), projects(1, seed=4)[0]
    found = compared.hybrids(x, Game(OWNERS, coalitions(3)))
    np.testing.assert_allclose(found[0], compared.base, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[-1], compared.read(x).margins, rtol=0, atol=1e-12)


def test_members_are_heard_alone_and_their_mean_is_the_model(tabm: Tabm) -> None:
    x = projects(20, seed=5)
    alone = np.array([one.margins(x) for one in tabm.alone()])
    np.testing.assert_allclose(alone.mean(axis=0), tabm.margins(x), rtol=0, atol=1e-12)
    reading = Compared.build(tabm, x[:2]).read(x[7])
    np.testing.assert_allclose(reading.each, alone[:, 7], rtol=0, atol=1e-12)
    weights = np.arange(1.0, BUCKETS + 1)
    assert reading.spread(weights) == pytest.approx((alone[:, 7] @ weights).std(ddof=1))


def test_references_stand_at_even_slices_of_the_risk(tabm: Tabm) -> None:
    background = projects(900, seed=6)
    found = references(tabm, background, np.ones(900), players=9)
    assert len(found) == 8  # 4,096 hybrids of 512 coalitions
    level = np.sort(tabm.margins(background).mean(axis=1))
    chosen = tabm.margins(found).mean(axis=1)
    np.testing.assert_allclose(chosen, level[[56, 168, 281, 393, 506, 618, 731, 843]])


def test_a_weight_of_two_is_a_row_written_twice(tabm: Tabm) -> None:
    background, weight = projects(40, seed=7), np.ones(40)
    weight[3] = 5.0
    repeated = np.concatenate([background, *([background[3:4]] * 4)])
    np.testing.assert_array_equal(
        references(tabm, background, weight, players=9),
        references(tabm, repeated, np.ones(44), players=9),
    )


def test_a_written_model_is_read_as_it_was(tabm: Tabm, tmp_path: Path) -> None:
    tabm.write(tmp_path / "tabm.safetensors")
    again = Tabm.read(tmp_path / "tabm.safetensors")
    x = projects(10)
    np.testing.assert_array_equal(again.margins(x), tabm.margins(x))


def test_weights_that_do_not_fit_are_refused(tabm: Tabm) -> None:
    with pytest.raises(ModelError, match=r"tabm.hidden must have shape \(5, 5\), however"):
        replace(tabm, hidden=np.zeros((4, 5)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[HazardModel, Floats]:
    """Return a fitted model of three groups, and the projects of its background."""
    folder = tmp_path_factory.mktemp("small")
    simulate(3000).table().write_parquet(folder / "data.parquet")
    learnt = read_book(folder / "data.parquet", load("early_stage"))
    of, third = learnt.column_set, {name: "abc"[at % 3] for at, name in enumerate(GROUPS)}
    columns = tuple(replace(column, group=third[column.group]) for column in of.columns)
    grouped = replace(
        of, columns=columns, groups={name: (name, name) for name in "abc"}, innovation=frozenset()
    )
    folder = folder / "model"
    fit(replace(learnt, column_set=grouped), OPTIONS).write(folder)
    return artifact.read(folder), np.load(folder / "background.npy", allow_pickle=False)


def priced(model: HazardModel) -> Instrument:
    rules = policy.load(currency=model.currency)
    return TermLoan(Terms(1e6, 36, "linear")).priced(rules, model.edges)


def test_an_explained_price_is_the_mean_over_all_orders(small: tuple[HazardModel, Floats]) -> None:
    model, background = small
    loan = TermLoan(Terms(1e6, 36, "linear")).priced(
        policy.load(currency=model.currency), model.edges
    )
    assert isinstance(model.network, Compared)
    owners = Game.of_groups(model.column_set.group_of).owners
    theirs, x = model.network.references, background[5]
    assert len(theirs) == 64
    assert np.abs(model.overlay).max() > 0.02  # it plays too

    def worth(inside: tuple[int, ...]) -> float:
        mine = np.zeros(len(x), np.bool_)
        for player in inside:
            mine |= owners[player] if player < len(owners) else False
        hybrids = np.where(mine, x, theirs)
        margins = model.margins(hybrids).mean(axis=0)  # with the overlay
        margins -= 0 if len(owners) in inside else model.overlay
        return float(loan.figures(margins[None])[0])

    orders = list(permutations(range(len(owners) + 1)))
    shares = np.zeros(len(owners) + 1)
    for order in orders:
        for place, player in enumerate(order):
            brought = worth(order[: place + 1]) - worth(order[:place])
            shares[player] += brought / len(orders)
    parts = attribute(model, model.read(x), loan)
    told = [parts.columns_bps[own].sum() for own in owners]
    np.testing.assert_allclose([*told, parts.macro_bps], shares, rtol=0, atol=1e-9)
    assert parts.base_bps == pytest.approx(worth(()), rel=0, abs=1e-9)
    assert abs(parts.residue_bps) < 1e-9
    assert np.abs(shares).min() > 0.1  # bp: nothing here is nil by chance


def test_a_column_that_is_the_references_own_gets_nothing(
    small: tuple[HazardModel, Floats],
) -> None:
    model, background = small
    loan = TermLoan(Terms(1e6, 36, "linear")).priced(
        policy.load(currency=model.currency), model.edges
    )
    assert isinstance(model.network, Compared)
    one = model.network.references[:1]
    alone = replace(
        model,
        network=Compared.build(model.network.tabm, one),
        tables=Tables.build(
            model.tables.boxes, one, np.ones(1), np.array(model.column_set.group_of)
        ),
    )
    x = np.where(np.arange(background.shape[1]) == 3, one[0], background[9])
    parts = attribute(alone, alone.read(x), loan)
    assert parts.columns_bps[3] == 0.0
    assert np.abs(parts.columns_bps).max() > 1


def test_hybrids_are_asked_of_a_tabm_only(model_folder: Path) -> None:
    trees = artifact.read(model_folder)
    with pytest.raises(ModelError, match="hybrids must be asked of a TabM"):
        trees.hybrids(np.zeros(41), Game(OWNERS, coalitions(3)))


def test_a_tabm_has_no_contributions_of_columns(small: tuple[HazardModel, Floats]) -> None:
    model, background = small
    with pytest.raises(ModelError, match="contributions must be of a sum over columns"):
        model.read(background[0]).contributions(np.ones_like(model.base))
