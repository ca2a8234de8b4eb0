from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from features.book import Book
from models.leaves import Bag
from tests.training import books
from training import boost
from training.blanks import Blanks
from training.periods import Periods
from training.trees import Trees

NAMES = [column.name for column in books.COLUMNS]
SIGNS = [column.direction.sign for column in books.COLUMNS]
NO_BLANKS = Blanks((), (), 0.0, 0.0)
PLAIN = Trees(1, 20, 3, 0.2, sample_share=1.0, column_share=1.0, min_events=2.0)


def matrix(book: Book) -> np.ndarray:
    """Return the columns as numbers, rounded so that a column has fewer values than bins."""
    frame = book.frame
    sector = frame["sector"].replace_strict({"a": 0, "b": 1, "c": 2, "d": 3}).to_numpy()
    numbers = {name: frame[name].to_numpy() for name in NAMES if name != "sector"}
    x = np.column_stack([sector if name == "sector" else numbers[name] for name in NAMES])
    return np.round(x.astype(np.float64), 1)


def grow(
    book: Book,
    *,
    trees: Trees = PLAIN,
    signs: list[int] = SIGNS,
    blanks: Blanks = NO_BLANKS,
    cause: str = "default",
    seed: int = 3,
) -> Bag:
    periods = Periods.of(matrix(book), book, cause=cause)
    return boost.grow(periods, signs=signs, trees=trees, blanks=blanks, seed=seed, threads=1)


def mean_hazard(margins: np.ndarray) -> float:
    """Return the logarithm of the mean hazard."""
    return float(np.log(np.exp(margins).mean()))


def violations(bag: Bag, x: np.ndarray, signs: list[int], *, seed: int = 0) -> int:
    """Count margins that move the wrong way when one signed column is raised, at every age."""
    dice, wrong = np.random.default_rng(seed), 0
    for column, sign in enumerate(signs):
        if sign:
            low, high = x.copy(), x.copy()
            pair = np.sort(dice.choice(x[:, column], (len(x), 2)), axis=1)
            low[:, column], high[:, column] = pair.T
            moved = boost.margins(bag, high, threads=1) - boost.margins(bag, low, threads=1)
            wrong += int((sign * moved < -1e-12).sum())
    return wrong


@pytest.fixture(scope="module")
def book() -> Book:
    return books.book(3000)


def test_a_loan_of_weight_two_counts_as_that_loan_twice(book: Book) -> None:
    at = int(np.flatnonzero(book.event == 1)[0])
    x = matrix(book)
    twice = boost.margins(grow(books.doubled(book, at)), x, threads=1)
    heavy = boost.margins(grow(books.weighted(book, at)), x, threads=1)
    np.testing.assert_allclose(heavy, twice, rtol=0, atol=1e-5)  # LightGBM sums 32-bit gradients
    plain = boost.margins(grow(book), x, threads=1)
    assert np.abs(heavy - plain).max() > 1e-3  # so the comparison can fail


def test_signed_columns_move_the_hazard_one_way_at_every_age(book: Book) -> None:
    bag = grow(book, trees=Trees(2, 60, 5, 0.2, min_events=2.0))
    assert violations(bag, matrix(book), SIGNS) == 0


def test_the_count_of_violations_can_fail(book: Book) -> None:
    free = grow(book, trees=Trees(2, 60, 5, 0.2, min_events=2.0), signs=[0] * len(SIGNS))
    assert violations(free, matrix(book), SIGNS) > 0


def test_a_missing_answer_is_met_as_it_was_learnt(book: Book) -> None:
    # "debt" is never missing in the book; 0.0 there is its mean, so shift it: 0.0 is then the least
    shifted = replace(book, frame=book.frame.with_columns(book.frame["debt"] + 10.0))
    x = matrix(shifted)
    x[:, NAMES.index("debt")] = np.nan
    learnt = Blanks((NAMES.index("debt"),), (), 0.2, 0.0)
    trees = replace(PLAIN, rounds=60)
    met, unmet = (
        mean_hazard(boost.margins(grow(shifted, trees=trees, blanks=blanks), x, threads=1))
        for blanks in (learnt, NO_BLANKS)
    )
    usual = mean_hazard(boost.margins(grow(shifted, trees=trees), matrix(shifted), threads=1))
    assert met == pytest.approx(usual, abs=0.3)
    assert unmet < usual - 0.5  # without blanks a missing debt reads as the smallest of all


def test_every_column_that_may_be_missing_is_learnt_with_its_missing_cells(book: Book) -> None:
    blanks = Blanks.of(books.column_set(), cell_share=0.02, source_share=0.02)
    bag = grow(book, blanks=blanks)
    # bits 2 and 3 of a split's decision_type are the missing type: 2 is NaN (LightGBM's tree.h)
    for columns, types in splits(bag):
        asked = [t >> 2 & 3 for c, t in zip(columns, types, strict=True) if NAMES[c] != "must"]
        assert all(kind == 2 for kind in asked)


def test_the_exit_hazard_never_asks_a_signed_column(book: Book) -> None:
    x = matrix(book)
    periods = Periods.of(boost.blind(x, SIGNS), book, cause="exit")
    bag = boost.grow(
        periods, signs=[0] * len(SIGNS), trees=PLAIN, blanks=NO_BLANKS, seed=0, threads=1
    )
    asked = {column for columns, _ in splits(bag) for column in columns}
    assert not asked & {NAMES.index("debt"), NAMES.index("cash")}
    assert NAMES.index("size") in asked  # which is what moves exits in this world
    seeing = {column for columns, _ in splits(grow(book, cause="exit")) for column in columns}
    assert seeing & {NAMES.index("debt"), NAMES.index("cash")}  # so the check can fail


def test_the_bag_finds_the_hazards_that_made_the_book() -> None:
    book = books.book(20_000)
    x = matrix(book)
    bag = grow(book, trees=Trees(2, 60, 4, 0.2))
    debt = x[:, NAMES.index("debt")]
    mean = boost.margins(bag, x, threads=1)[:, 1]
    steep = np.polyfit(debt, mean, 1)[0]
    assert steep == pytest.approx(0.8, abs=0.15)  # the slope that books.book plants


def test_a_bag_is_the_mean_of_its_members(book: Book) -> None:
    bag = grow(book, trees=replace(PLAIN, members=2, sample_share=0.7))
    x = matrix(book)
    alone = [boost.margins(Bag((text,), bag.baseline), x, threads=1) for text in bag.boosters]
    np.testing.assert_allclose(
        boost.margins(bag, x, threads=1), (alone[0] + alone[1]) / 2, rtol=0, atol=1e-12
    )
    assert np.abs(alone[0] - alone[1]).max() > 0.01  # members differ


def test_the_same_seed_grows_the_same_text(book: Book) -> None:
    blanks = Blanks.of(books.column_set(), cell_share=0.02, source_share=0.02)
    trees = Trees(2, 10, 3, 0.2)
    once, again, other = (grow(book, trees=trees, blanks=blanks, seed=s) for s in (1, 1, 2))
    assert once.boosters == again.boosters
    assert once.boosters != other.boosters


def splits(bag: Bag) -> list[tuple[list[int], list[int]]]:
    """Return the columns that each tree asks and its decision types, without splits on age."""
    out = []
    for text in bag.boosters:
        columns = re.findall(r"^split_feature=(.*)$", text, re.M)
        types = re.findall(r"^decision_type=(.*)$", text, re.M)
        for asked, kinds in zip(columns, types, strict=True):
            pairs = zip(map(int, asked.split()), map(int, kinds.split()), strict=True)
            real = [(column, kind) for column, kind in pairs if column < len(NAMES)]
            out.append(([c for c, _ in real], [k for _, k in real]))
    return out
