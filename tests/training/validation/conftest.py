"""A small version with everything that the sections look at, made once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.book import Book
from models import artifact
from pricing import policy
from tests.training.books import book
from tests.training.test_gates import SMALL, declared
from training import drift, monotone, sample
from training.fit import fit
from training.study import study
from training.validation.evidence import Evidence

LOANS = 6000


def marked(loans: Book) -> Book:
    """Return the book with a protected column, and patents as a group of innovation."""
    columns = tuple(
        replace(
            column,
            protected=column.name == "sector",
            group="new" if column.name == "patents" else column.group,
        )
        for column in loans.column_set.columns
    )
    groups = {**loans.column_set.groups, "new": ("New", "新")}
    known = replace(loans.column_set, columns=columns, groups=groups, innovation=frozenset({"new"}))
    return replace(loans, column_set=known)


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return the evidence of a small model of loans whose hazards are known by heart."""
    folder = tmp_path_factory.mktemp("evidence") / "model"
    loans = marked(declared(book(LOANS)))
    fitted = fit(loans, SMALL)
    judged = study(fitted, resamples=20, told=lambda step: None)
    card = {
        **fitted.card,
        "commit": "0" * 40,
        "data": {**fitted.card["data"], "file": "loans.csv", "simulated": False},
        "interval": drift.judge(fitted, judged.ours, []).card,
    }
    replace(fitted, card=card).write(folder)
    model, rules = artifact.read(folder), policy.load(currency="EUR")
    priced = sample.price(model, rules, sample.asked(judged.test, list(range(60))))
    before = fitted.split.train.take(np.arange(1000))
    margins = fitted.margins(fitted.encoder.matrix(before.frame))
    wrong = monotone.violations(model, priced.x[:20])
    return Evidence(fitted, judged, model, loans, priced, wrong, before, margins, rules)
