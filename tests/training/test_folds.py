from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from features.book import CENSORED, DEFAULTED, Book
from pricing.errors import InputError
from tests.training import books
from training.folds import Fold, rolling
from training.split import Labels, by_time


def folds(whole: Book, count: int = 3, labels: Labels = Labels.AS_KNOWN) -> tuple[Fold, ...]:
    return rolling(by_time(whole, labels=labels), count)


def same(a: Book, b: Book) -> bool:
    facts = ("originated", "age_months", "event", "event_known", "weight")
    return a.frame.equals(b.frame) and all(
        np.array_equal(getattr(a, fact), getattr(b, fact)) for fact in facts
    )


@pytest.mark.parametrize("labels", Labels)
def test_no_fold_sees_a_loan_of_the_test_window(labels: Labels) -> None:
    whole = books.book(6000)
    parts = by_time(whole, labels=labels)
    for fold in folds(whole, labels=labels):
        assert fold.learn.originated.max() < fold.origin <= fold.judge.originated.min()
        assert fold.judge.originated.max() < fold.until <= parts.test_from
    assert fold.until == parts.test_from


@pytest.mark.parametrize("labels", Labels)
def test_the_folds_stay_the_same_whatever_becomes_of_the_test_window(labels: Labels) -> None:
    whole = books.book(6000)
    test = whole.originated >= by_time(whole).test_from
    fate = np.where(test, DEFAULTED, whole.event).astype(np.int8)
    age = np.where(test, 1, whole.age_months)
    doomed = replace(whole, event=fate, age_months=age)
    for a, b in zip(folds(whole, labels=labels), folds(doomed, labels=labels), strict=True):
        assert same(a.learn, b.learn)
        assert same(a.judge, b.judge)


def test_what_became_known_after_an_origin_is_not_learnt_from() -> None:
    whole = books.book(6000, delay=4)
    for fold in folds(whole):
        fell = fold.learn.event == DEFAULTED
        assert (fold.learn.event_known[fell] < fold.origin).all()
        assert (fold.learn.originated + fold.learn.age_months < fold.origin).all()
        late = whole.take((whole.originated < fold.origin) & (whole.event_known >= fold.origin))
        assert len(late) > 0


def test_a_fold_learns_what_a_lender_would_have_learnt_on_that_day() -> None:
    """Every default is heard of four months later: of what came before these, all is known."""
    whole = books.book(6000, delay=4)
    for fold in folds(whole):
        assert same(fold.learn, whole.until(fold.origin - 4))
        assert not same(fold.learn, whole.until(fold.origin - 3))


def test_mature_labels_know_what_came_later_in_the_training_window_too() -> None:
    known, mature = folds(books.book(6000)), folds(books.book(6000), labels=Labels.MATURE)
    fell = [(fold.learn.event == DEFAULTED).sum() for fold in (known[-1], mature[-1])]
    assert fell[1] > fell[0]


def test_folds_follow_each_other_and_are_judged_on_about_equally_many_defaults() -> None:
    made = folds(books.book(12000), 4)
    assert all(a.until == b.origin for a, b in pairwise(made))
    counts = np.array([(fold.judge.event == DEFAULTED).sum() for fold in made])
    assert counts.min() > 0.8 * counts.max()


def test_too_few_defaults_are_told_for_every_fold_at_once() -> None:
    with pytest.raises(InputError) as error:
        folds(books.book(600), 4)
    told = [fault.field for fault in error.value.faults]
    assert len(told) >= 4
    assert any("judging" in field for field in told)


def test_a_window_without_a_default_is_refused() -> None:
    whole = books.book(600)
    alive = replace(whole, event=np.full(len(whole), CENSORED, np.int8))
    with pytest.raises(InputError, match="no default"):
        folds(alive)
