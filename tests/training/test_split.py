from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from features.book import DEFAULTED, month_of
from features.column import Window
from pricing.errors import InputError
from tests.training import books
from training.split import Labels, by_time, name_of

SNAPSHOT = month_of(date(2006, 1, 1))


def test_what_is_learnt_from_originated_before_what_is_judged_on() -> None:
    parts = by_time(books.book())
    assert parts.train.originated.max() < SNAPSHOT == parts.test_from
    assert parts.test.originated.min() >= SNAPSHOT
    assert parts.test.originated.max() < month_of(date(2007, 1, 1))


def test_the_learner_knows_no_event_that_was_not_known_at_the_snapshot() -> None:
    parts = by_time(books.book(delay=4))
    defaulted = parts.train.event == DEFAULTED
    assert defaulted.any()
    assert (parts.train.event_known[defaulted] < SNAPSHOT).all()
    assert (parts.train.originated + parts.train.age_months < SNAPSHOT).all()


def test_no_month_counts_whose_defaults_nobody_has_heard_of_yet() -> None:
    parts = by_time(books.book(8000, delay=4))
    last = parts.train.originated + parts.train.age_months
    assert parts.known_until == SNAPSHOT - 4
    assert last.max() == SNAPSHOT - 5
    # hazards are flat in calendar time: the latest year has as many defaults a month as any other
    months, fell = np.zeros(2), np.zeros(2)
    for at, (start, end) in enumerate([(0, parts.known_until - 12), (parts.known_until - 12, 999)]):
        young = np.clip(start - parts.train.originated, 0, None)
        old = np.minimum(parts.train.age_months, end - parts.train.originated)
        months[at] = np.clip(old - young, 0, None).sum()
        inside = (last > start) & (last <= end) & (parts.train.event == DEFAULTED)
        fell[at] = inside.sum()
    rate = fell / months
    # three standard errors of the logarithm of a ratio of Poisson counts; four months in twelve
    # without defaults would be log(2/3) = -0.41
    assert abs(np.log(rate[1] / rate[0])) < 3 * np.sqrt((1 / fell).sum())


def test_mature_labels_know_what_came_later_and_must_be_asked_for() -> None:
    known, mature = by_time(books.book()), by_time(books.book(), labels=Labels.MATURE)
    assert known.labels is Labels.AS_KNOWN
    assert (mature.train.originated + mature.train.age_months > SNAPSHOT).any()
    assert (mature.train.event == DEFAULTED).sum() > (known.train.event == DEFAULTED).sum()


def test_the_judged_loans_keep_every_outcome() -> None:
    whole = books.book()
    parts = by_time(whole)
    assert (parts.test.originated + parts.test.age_months).max() == books.END
    inside = (whole.originated >= parts.test_from) & (whole.originated < parts.test_to)
    assert (parts.test.event == whole.event[inside]).all()


def test_without_a_window_the_latest_fifth_of_the_originations_is_judged_on() -> None:
    whole = books.book()
    free = replace(whole, column_set=books.column_set(window=Window()))
    parts = by_time(free)
    assert parts.test.originated.min() > parts.train.originated.max()
    share = len(parts.test) / len(whole)
    assert share == pytest.approx(0.2, abs=0.02)  # whole months


def test_an_empty_side_is_refused_by_name() -> None:
    late = Window(date(2030, 1, 1), date(2031, 1, 1), date(2032, 1, 1))
    nobody = replace(books.book(200), column_set=books.column_set(window=late))
    with pytest.raises(InputError, match=r"window\.train must be"):
        by_time(nobody)


def test_a_month_is_named_as_the_calendar_does() -> None:
    assert name_of(month_of(date(1999, 12, 31))) == "1999-12"
    assert np.diff([month_of(date(1999, 12, 1)), month_of(date(2000, 1, 1))]) == 1
