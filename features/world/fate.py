"""What becomes of each loan: when it ends and how, when that is known, and what is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.world.calendar import policy_rate_percent, strain
from features.world.dice import Dice, Floats, Ints, logistic
from features.world.hazard import FRAILTY, Effects
from features.world.oracle import Oracle, blocks, everything, incidence, known_columns

DEFAULT, REPAID, ACQUIRED, MATURED = "default", "repaid", "acquired", "matured"
EXITS = (REPAID, ACQUIRED)
KINDS = np.array([DEFAULT, REPAID, ACQUIRED, MATURED])
PAYMENT_MONTHS = 3  # all loans of this world pay quarterly
PAST_DUE_MONTHS = 3  # a default is one at 90 days past due (IFRS 9's backstop)
LATEST_NOTICE_MONTHS = 3  # ... and is reported up to three months later, our choice
WORKOUT_MONTHS = 12  # the loss is known a year after the default, our choice
CUSTOMER_MARGIN = 0.03  # added to the policy rate in annuities, our choice


@dataclass(frozen=True)
class Fate:
    """The full story of each loan, as nobody knows it on the day of origination.

    Attributes:
        age_months: months from origination to the end, 1 to the term, (projects,).
        kind: default, repaid, acquired or matured, (projects,).
        notice_months: months from the end until the lender knows of it, (projects,).
        exposure: share of the amount outstanding when it ends, (projects,).
        loss: loss over that exposure, NaN without a default, (projects,).
    """

    age_months: Ints
    kind: pl.Series
    notice_months: Ints
    exposure: Floats
    loss: Floats


def live(
    dice: Dice,
    columns: pl.DataFrame,
    month: Ints,
    progress: Callable[[float], None] | None = None,
) -> tuple[Fate, Oracle]:
    """Let every loan live to its end, and return the true probabilities beside it."""
    effects = Effects.of(columns)
    frailty = FRAILTY * dice.normal("frailty")
    ends, chooses = dice.stream("end").exponential(size=dice.projects), dice.uniform("kind")
    age, kind = np.empty(dice.projects, np.int64), np.empty(dice.projects, np.int64)
    known, plain = np.empty((dice.projects, 3)), np.empty((dice.projects, 3))
    for part in blocks(dice.projects):
        default, exits = everything(effects.rows(part), month[part], frailty[part])
        known[part] = incidence(default, exits.sum(axis=0), effects.term_months[part])
        plain[part] = known_columns(effects.rows(part))
        age[part], kind[part] = _end(
            default, exits, effects.term_months[part], ends[part], chooses[part]
        )
        if progress is not None:
            progress(part.stop / dice.projects)
    return _story(dice, columns, month, age, kind), Oracle(everything=known, columns=plain)


def _end(
    default: Floats, exits: Floats, term: Floats, ends: Floats, chooses: Floats
) -> tuple[Ints, Ints]:
    """Return the month in which each loan ends and the position of its kind in KINDS.

    A loan ends in the first month whose cumulative hazard passes a unit exponential, by the cause
    whose share of that month's hazard is drawn; what neither defaults nor exits before the last
    payment matures on it.
    """
    total = default + exits.sum(axis=0)
    passed = np.cumsum(total, axis=1) >= ends[:, None]
    age = np.where(passed.any(axis=1), passed.argmax(axis=1) + 1, passed.shape[1] + 1)
    row, at = np.arange(len(age)), np.minimum(age, passed.shape[1]) - 1
    share = np.cumsum(np.stack([default[row, at], *exits[:, row, at]]), axis=0) / total[row, at]
    kind = (chooses >= share[:2]).sum(axis=0)  # 0 default, 1 repaid, 2 acquired
    matured = (age > term) | ((age == term) & (kind > 0))
    return np.where(matured, term.astype(np.int64), age), np.where(matured, 3, kind)


def _story(dice: Dice, columns: pl.DataFrame, month: Ints, age: Ints, kind: Ints) -> Fate:
    defaulted = kind == 0
    late = PAST_DUE_MONTHS + dice.stream("notice").integers(
        0, LATEST_NOTICE_MONTHS, dice.projects, endpoint=True
    )
    rate = policy_rate_percent(month) / 100.0 + CUSTOMER_MARGIN
    loss = loss_given_default(dice, columns, age, month)
    return Fate(
        age_months=age,
        kind=pl.Series("event", KINDS[kind]),
        notice_months=np.where(defaulted, late, 0),
        exposure=outstanding(columns, age, rate),
        loss=np.where(defaulted, loss, np.nan),
    )


def outstanding(columns: pl.DataFrame, age: Ints, rate: Floats) -> Floats:
    """Return the share of the amount that is owed at the start of month `age`.

    With N quarters, g of them free of principal, j >= g of them over and v = 1 / (1 + rate/4):

        linear (N - j) / (N - g),   annuity (1 - v^(N-j)) / (1 - v^(N-g)),   bullet 1.
    """
    last = columns["term_months"].to_numpy() / PAYMENT_MONTHS
    free = columns["grace_months"].to_numpy() / PAYMENT_MONTHS
    paid = np.maximum((age - 1) // PAYMENT_MONTHS, free)
    v = 1.0 / (1.0 + rate * PAYMENT_MONTHS / 12.0)
    linear = (last - paid) / (last - free)
    annuity = (1.0 - v ** (last - paid)) / (1.0 - v ** (last - free))
    schedule = columns["repayment"].to_numpy()
    return np.select([schedule == "linear", schedule == "annuity"], [linear, annuity], 1.0)


def loss_given_default(dice: Dice, columns: pl.DataFrame, age: Ints, month: Ints) -> Floats:
    """Return losses over the exposure at default, beta around a mean that collateral lowers.

    logit mean = 0.45 - 1.1 collateral - 0.25 pledged patents + 0.5 (debt ratio - 0.4)
                 + 0.4 min(age, 60) / 60 + 0.15 strain,      a + b = 3

    All our choice, for a mean between 0.5 and 0.6; the SBA lost 0.62 of what it had paid out.
    """
    collateral = np.minimum(columns["collateral_coverage"].to_numpy(), 1.5)
    pledged = columns["ip_pledged"].cast(pl.Float64).to_numpy()
    debt = columns["debt_ratio"].to_numpy() - 0.4
    when = 0.4 * np.minimum(age, 60) / 60.0 + 0.15 * strain(month + age)
    mean = logistic(0.45 - 1.1 * collateral - 0.25 * pledged + 0.5 * debt + when)
    return np.round(dice.stream("loss").beta(3.0 * mean, 3.0 * (1.0 - mean)), 4)
