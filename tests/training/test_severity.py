from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from features.book import DEFAULTED, Book
from tests.training import books
from tests.training.test_boost import NO_BLANKS, SIGNS, matrix, violations
from training import boost, severity
from training.trees import Trees

TREES = Trees(2, 30, 3, 0.1)


def learn(book: Book, x: np.ndarray | None = None) -> severity.Severity:
    return severity.learn(
        matrix(book) if x is None else x,
        book,
        signs=SIGNS,
        trees=TREES,
        blanks=NO_BLANKS,
        seed=0,
        threads=1,
    )


@pytest.fixture(scope="module")
def book() -> Book:
    return books.book(4000)


def test_the_mean_prediction_is_the_weighted_mean_loss(book: Book) -> None:
    weight = np.where(book.lgd > 0.5, 3.0, 1.0)
    heavy = replace(book, weight=weight)
    bag = learn(heavy).bag
    assert bag is not None
    lost = book.event == DEFAULTED
    logits = boost.margins(bag, matrix(book)[lost], threads=1)
    edges = np.array(books.EDGES)
    bucket = np.minimum(np.searchsorted(edges, book.age_months[lost]) - 1, len(edges) - 2)
    foretold = expit(logits[np.arange(lost.sum()), bucket])
    mean = np.average(book.lgd[lost], weights=weight[lost])
    assert np.average(foretold, weights=weight[lost]) == pytest.approx(mean, abs=1e-9)
    assert mean > book.lgd[lost].mean() + 0.02  # so that weights are seen to count


def test_what_must_raise_the_risk_raises_the_loss(book: Book) -> None:
    bag = learn(book).bag
    assert bag is not None
    assert violations(bag, matrix(book), SIGNS) == 0
    debt = matrix(book)[:, 0]
    logits = boost.margins(bag, matrix(book), threads=1).mean(axis=1)
    # books.book: lgd = .5 + .1 debt, a slope of .4 in logits at one half
    assert np.polyfit(debt, logits, 1)[0] == pytest.approx(0.4, abs=0.2)


def test_few_losses_give_their_mean(book: Book) -> None:
    lost = np.flatnonzero(book.event == DEFAULTED)[:20]
    few = book.take(np.append(lost, np.flatnonzero(book.event != DEFAULTED)))
    found = learn(few)
    assert found.bag is None
    assert expit(found.constant) == pytest.approx(book.lgd[lost].mean(), rel=1e-9)


def test_no_losses_give_the_regulators_figure_and_say_so(book: Book) -> None:
    blank = replace(book, lgd=np.full(len(book), np.nan))
    found = learn(blank)
    assert found.bag is None
    assert found.constant == pytest.approx(logit(0.40), rel=1e-12)  # CRE32.6
    assert "CRE32.6" in found.source
