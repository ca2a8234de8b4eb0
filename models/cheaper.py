"""What a firm could change to be priced lower: the nearest moves of its movable columns.

Only columns that their set declares movable are moved, from a value that is known, to a value that
is theirs: within the range, whole where they are whole, and never the way that raises the risk.
One column moves, or two. A move's effort is how far it goes among the projects of the background:

    effort = | F(to) - F(from) |,    F(v) = share below v + half the share at v

and 0.5 for a yes that becomes a no, or another choice. So many prices are asked and no more, always
the same ones; each is the price of the very project with the values moved.

Source: Ustun, Spangher & Liu (2019), FAT*: actionable recourse, costs by percentile; Wachter,
Mittelstadt & Russell (2018), Harvard J. Law & Technology 31: the nearest world in which the answer
is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import get_type_hints

from features.column import Column, ColumnSet, Direction, Kind
from models.peers import Peers
from pricing.schedule import Terms

Price = Callable[[Mapping[str, object]], int | None]  # with these values moved; None: no price
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of the background
CHOICE = 0.5  # the effort of a flag's or a category's move
LEAST_EFFORT = 0.01  # of a move, however small: few columns are moved
LEAST_SAVING = 100  # in 0.01 bp
PAIRED = 6  # columns of which pairs are tried
MOST = 8  # alternatives: each saves an eighth of the greatest saving more than those before
WHOLE_TERMS = {name for name, hint in get_type_hints(Terms).items() if hint is int}


@dataclass(frozen=True)
class Move:
    """One column's value, moved."""

    column: Column
    before: object
    value: object
    effort: float


@dataclass(frozen=True)
class Alternative:
    """A project of one or two moves, and its price in 0.01 bp."""

    moves: tuple[Move, ...]
    price: int

    @property
    def effort(self) -> float:
        """Return the efforts of its moves, added up."""
        return sum(move.effort for move in self.moves)

    @property
    def values(self) -> dict[str, object]:
        """Return the moved values by column."""
        return {move.column.name: move.value for move in self.moves}


def cheaper(
    column_set: ColumnSet, peers: Peers, known: Mapping[str, object], price: Price
) -> list[Alternative]:
    """Return alternatives priced lower, the least effort first; each is cheaper than those before.

    Args:
        column_set: says what is movable.
        peers: the background, which says how far a move goes.
        known: the project's values by column, with those of the loan's terms.
        price: of the project with some values moved, in 0.01 bp; the less the better.
    """
    now = price({})
    if now is None:
        return []
    movable = [
        [*moves(column, at, peers, known[column.name])]
        for at, column in enumerate(column_set.columns)
        if column.movable and known.get(column.name) is not None
    ]
    single = [[*_priced(price, ((move,) for move in some))] for some in movable]
    best = sorted(
        filter(None, (_best(some, now) for some in single)), key=lambda some: some[0].price
    )
    joint = [
        one.moves + other.moves
        for here, there in combinations(best[:PAIRED], 2)
        for one, other in product(here, there)
    ]
    found = [*(one for some in single for one in some), *_priced(price, joint)]
    return _nearest(found, now)


def moves(column: Column, at: int, peers: Peers, before: object) -> Iterator[Move]:
    """Yield a column's moves from a value.

    Args:
        column: whose they are.
        at: its place in the set.
        peers: the background.
        before: its value now, known.
    """
    if column.kind is Kind.FLAG:
        if column.direction is Direction.FREE or bool(before) is (column.direction.sign > 0):
            yield Move(column, before, not before, CHOICE)
    elif column.kind is Kind.CATEGORY:
        others = (level for level in column.levels if level != before)
        yield from (Move(column, before, level, CHOICE) for level in others)
    elif isinstance(before, int | float):
        for value in _levels(column, at, peers):
            if value != before and (value - before) * column.direction.sign <= 0:
                way = abs(_rank(peers, at, value) - _rank(peers, at, float(before)))
                yield Move(column, before, value, max(way, LEAST_EFFORT))


def _levels(column: Column, at: int, peers: Peers) -> list[float]:
    """Return the values to which a number may move: round, and those of the background."""
    values, shares = peers.values[at], peers.shares[at]
    if not len(values):
        return []
    places = (min(int(shares[1:].searchsorted(share)), len(values) - 1) for share in SHARES)
    return sorted({_allowed(column, float(values[place])) for place in places})


def _allowed(column: Column, value: float) -> float:
    """Return the nearest sound value of three digits."""
    rounded = float(f"{value:.3g}")
    low = rounded if column.low is None else max(rounded, column.low)
    kept = low if column.high is None else min(low, column.high)
    return round(kept) if is_whole(column) else kept


def is_whole(column: Column) -> bool:
    """Return whether a column's numbers are whole, as counts and months of the terms are."""
    return column.kind is Kind.COUNT or column.terms in WHOLE_TERMS


def _rank(peers: Peers, at: int, value: float) -> float:
    return peers.below(at, value) + peers.same(at, value) / 2


def _priced(
    price: Price, wishes: Iterator[tuple[Move, ...]] | Sequence[tuple[Move, ...]]
) -> Iterator[Alternative]:
    for wish in wishes:
        found = price({move.column.name: move.value for move in wish})
        if found is not None:
            yield Alternative(wish, found)


def _best(some: Sequence[Alternative], now: int) -> list[Alternative]:
    """Return a column's cheapest move and the one that saves most for its effort, if any saves."""
    saving = [one for one in some if one.price < now]
    if not saving:
        return []
    cheapest = min(saving, key=lambda one: (one.price, one.effort))
    easiest = min(saving, key=lambda one: ((one.price - now) / one.effort, one.price))
    return [cheapest] if easiest is cheapest else [cheapest, easiest]


def _nearest(found: Sequence[Alternative], now: int) -> list[Alternative]:
    """Return those that no other beats in effort and price, without those that add little."""
    greatest = max((now - one.price for one in found), default=0)
    step = max(LEAST_SAVING, greatest / MOST)
    kept: list[Alternative] = []
    for one in sorted(found, key=lambda one: (one.effort, one.price, len(one.moves))):
        if one.price <= (kept[-1].price if kept else now) - step:
            kept.append(one)
    return kept
