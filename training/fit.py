"""From a book of projects to a fitted model: bags, encoder, overlay, background and card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.book import Book
from features.column import ColumnSet
from features.encode import Encoder
from models import artifact
from models.additive import Network
from models.leaves import Bag
from pricing.errors import InputError
from pricing.survival import DEFAULT, incidence
from training import boost, overlay, severity, split, stopping
from training.blanks import Blanks
from training.card import card
from training.causes import Causes
from training.network import Lesson, fit_network
from training.options import Options
from training.pairs import strongest
from training.periods import Floats, Periods
from training.split import Labels, Split
from training.trees import Trees

Progress = Callable[[str, int, int], None]  # what was done, steps done, steps in all

OTHER_STEPS = 7  # besides the members of default: see the calls of `told`
ENOUGH_DEFAULTS = 30
ENOUGH_EXITS = 100  # below, one constant hazard


@dataclass(frozen=True)
class Fitted:
    """A model before it is written: data only.

    Attributes:
        card: what is known of the fit, as JSON holds it.
        column_set: what the model may know.
        encoder: fitted on the training projects.
        causes: what speaks of each.
        overlay: (3, K).
        background: (m, columns) encoded as a quote would be.
        background_weight: (m,).
        split: the books it was learnt from and is to be judged on.
    """

    card: Mapping[str, Any]
    column_set: ColumnSet
    encoder: Encoder
    causes: Causes
    overlay: Floats
    background: Floats
    background_weight: Floats
    split: Split

    def margins(self, x: Floats, *, threads: int = 1) -> Floats:
        """Return the margins with the overlay, by LightGBM itself: (n, columns) -> (n, 3, K)."""
        return self.causes.margins(x, threads=threads) + self.overlay

    def write(self, folder: Path) -> str:
        """Write the model and return its digest."""
        return artifact.write(
            folder,
            card=self.card,
            column_set=self.column_set,
            encoder=self.encoder,
            bags=self.causes.bags,
            constants=self.causes.constants,
            network=self.causes.network,
            overlay=self.overlay,
            background=self.background,
            background_weight=self.background_weight,
        )


def fit(
    book: Book,
    options: Options | None = None,
    progress: Progress = lambda what, done, steps: None,
) -> Fitted:
    """Fit a model of a book: split, encode, grow, level, choose the comparison.

    Args:
        book: all projects of the file; the test window is set aside and not looked at.
        options: None for the defaults.
        progress: told of each step when it is done.

    Raises:
        InputError: the book has too few defaults, or no projects on a side of the split; or the
            sizes were tuned on what the fit is to be judged on.
    """
    options = options or Options()
    networks = options.network.members if options.family.trees < 1 else 0
    told = _Steps(progress, OTHER_STEPS + options.default.members + networks)
    parts = split.by_time(book, labels=options.labels)
    if options.tuned is not None:
        options.tuned.check(parts)
    train = parts.train.weighed
    told("split by time")
    encoder, x = Encoder.fit(train, train.column_set.age_edges_months, options.seed)
    told("encoded")
    learner = Learner(train, x, options, told)
    speaks, size, lesson = learner.hazard()
    bags, constants, exits = learner.exit()
    loss = learner.severity()
    if loss.bag is None:
        constants["lgd"] = loss.constant
    else:
        bags["lgd"] = loss.bag
    told("loss given default")
    causes = replace(speaks, bags={**bags, **speaks.bags}, constants=constants)
    level = _level(train, x, causes, parts, options)
    told("level of the cycle")
    plain = encoder.matrix(train.frame)
    chosen = background(causes, plain, train.column_set, options)
    told("comparison chosen")
    sizes = {"default": size, "exit": exits, "network": lesson}
    return Fitted(
        card=card(parts, options, sizes, loss, level, len(chosen)),
        column_set=train.column_set,
        encoder=encoder,
        causes=causes,
        overlay=level.overlay(len(train.column_set.age_edges_months) - 1),
        background=plain[chosen],
        background_weight=train.weight[chosen],
        split=parts,
    )


def background(
    causes: Causes, x: Floats, column_set: ColumnSet, options: Options
) -> NDArray[np.int64]:
    """Return which training projects a price is compared with: a seeded sample of the quotable.

    Rows keep their weights, so that the comparison is with the population and not with the file.

    Args:
        causes: what speaks of each.
        x: (n, columns) the training projects, encoded as quotes would be.
        column_set: theirs.
        options: how many, and how risky at most.
    """
    dice = np.random.default_rng([options.seed, 3])
    drawn = dice.permutation(len(x))[: 2 * options.background]  # so many can be unquotable
    margins = causes.margins(x[drawn], threads=options.threads)
    months = min(36, column_set.age_edges_months[-1])
    pd = incidence(margins, column_set.age_edges_months, months)[:, months]
    quotable = drawn[pd <= options.riskiest_background]
    chosen = quotable if len(quotable) else drawn
    return np.sort(chosen[: options.background])


@dataclass
class _Steps:
    """Counts the steps for the progress callback."""

    progress: Progress
    steps: int
    done: int = 0

    def __call__(self, what: str) -> None:
        self.done += 1
        self.progress(what, self.done, self.steps)


@dataclass(frozen=True)
class Learner:
    """The training projects, encoded, and how to learn from them.

    Attributes:
        train: with weights of mean one.
        x: (n, columns) encoded, the projects' own outcomes out of their categories.
        options: of the fit.
        told: of each step when it is done.
    """

    train: Book
    x: Floats
    options: Options
    told: Callable[[str], None] = lambda what: None

    def hazard(self) -> tuple[Causes, stopping.Stopping, Lesson | None]:
        """Return what speaks of default alone, as the family wants it, and how it was sized."""
        size, trees = self._default()
        spoken, lesson = self._network(trees)
        share = self.options.family.trees
        bags = {"default": replace(trees, share=share)} if share else {}
        return Causes(len(trees.baseline), bags, network=spoken), size, lesson

    @property
    def _signs(self) -> list[int]:
        return [column.direction.sign for column in self.train.column_set.columns]

    @property
    def _blanks(self) -> Blanks:
        return Blanks.of(
            self.train.column_set,
            cell_share=self.options.cell_share,
            source_share=self.options.source_share,
        )

    def _default(self) -> tuple[stopping.Stopping, Bag]:
        periods = Periods.of(self.x, self.train, cause="default")
        defaults = int(periods.events.sum())
        if defaults < ENOUGH_DEFAULTS:
            expected = f"known for at least {ENOUGH_DEFAULTS} training projects"
            raise InputError.of("outcome.event", f"a default {expected}", f"{defaults} defaults")
        size = self._size(periods, self.options.default, self.options.depths, self._signs, salt=0)
        self.told(f"default: {size.rounds} rounds at depth {size.depth}")
        bag = self._grow(periods, self.options.default, size, self._signs, salt=0)
        return size, bag

    def _network(self, trees: Bag) -> tuple[Network | None, Lesson | None]:
        share = 1.0 - self.options.family.trees
        if not share:
            return None, None
        edges = self.train.column_set.age_edges_months
        columns, shape = len(self._signs), self.options.network
        made, lesson = fit_network(
            Periods.of(self.x, self.train, cause="default"),
            np.array(edges),
            signs=self._signs,
            pairs=strongest(trees, columns=columns, buckets=len(edges) - 1, most=shape.pairs),
            teacher=lambda x: boost.margins(trees, x, threads=self.options.threads),
            shape=shape,
            blanks=self._blanks,
            seed=self.options.seed + 3,
            told=lambda member: self.told(f"network: member {member + 1}"),
        )
        return made.scaled(share), lesson

    def exit(self) -> tuple[dict[str, Bag], dict[str, float], stopping.Stopping | None]:
        """Return the bag or the constant of exits, and its size."""
        bags, constants = dict[str, Bag](), dict[str, float]()
        periods = Periods.of(boost.blind(self.x, self._signs), self.train, cause="exit")
        exits = periods.weight @ periods.events.sum(axis=1)
        size = None
        if periods.events.sum() >= ENOUGH_EXITS:
            free = [0] * len(self._signs)
            trees = self.options.exit
            size = self._size(periods, trees, (trees.depth,), free, salt=1)
            bags["exit"] = self._grow(periods, trees, size, free, salt=1)
        elif exits > 0:
            months = periods.weight @ periods.months.sum(axis=1)
            constants["exit"] = float(np.log(exits / months))
        self.told("exit")
        return bags, constants, size

    def severity(self) -> severity.Severity:
        """Return the loss given default."""
        return severity.learn(
            self.x,
            self.train,
            signs=self._signs,
            trees=self.options.lgd,
            blanks=self._blanks,
            seed=self.options.seed + 2,
            threads=self.options.threads,
        )

    def _size(
        self, of: Periods, trees: Trees, depths: tuple[int, ...], signs: list[int], *, salt: int
    ) -> stopping.Stopping:
        return stopping.choose(
            of,
            signs=signs,
            trees=trees,
            depths=depths,
            blanks=self._blanks,
            seed=self.options.seed + salt,
            threads=self.options.threads,
        )

    def _grow(
        self, of: Periods, trees: Trees, size: stopping.Stopping, signs: list[int], *, salt: int
    ) -> Bag:
        def grown(member: int) -> None:
            if salt == 0:
                self.told(f"default: member {member + 1}")

        return boost.grow(
            of,
            signs=signs,
            trees=trees.of_size(depth=size.depth, rounds=size.rounds),
            blanks=self._blanks,
            seed=self.options.seed + salt,
            threads=self.options.threads,
            grown=grown,
        )


def _level(train: Book, x: Floats, causes: Causes, parts: Split, options: Options) -> overlay.Level:
    """Level by what was known at the snapshot; mature labels have seen beyond it and get none."""
    if options.labels is Labels.MATURE:
        return overlay.NO_LEVEL
    alive = train.originated + train.age_months > parts.known_until - options.level_months
    return overlay.fit_level(
        train.take(alive),
        causes.margins(x[alive], threads=options.threads)[:, DEFAULT],
        to_month=parts.known_until,
        months=options.level_months,
        prior_events=options.level_prior,
        kept=options.level_kept,
    )
