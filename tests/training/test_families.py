"""Every family of model is fitted, written, read and explained the same way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.book import Book, read_book
from features.sets import load
from features.simulate import simulate
from models import artifact
from models.explain import attribute
from pricing import policy
from pricing.instruments.term_loan import TermLoan
from pricing.look import ends_of
from pricing.schedule import Terms
from pricing.survival import DEFAULT
from training import drift, monotone
from training.fit import Fitted, fit
from training.options import Family, Options
from training.shape import Ensemble, Shape
from training.trees import Trees

SMALL = Trees(2, 20, 3, 0.2)
OPTIONS = Options(
    default=SMALL,
    depths=(3,),
    exit=SMALL,
    lgd=SMALL,
    network=Shape(members=2, pairs=4, epochs=4),
    tabm=Ensemble(members=2, width=16, epochs=4),
    background=300,
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    file = tmp_path_factory.mktemp("data") / "data.parquet"
    simulate(4000).table().write_parquet(file)
    return read_book(file, load("early_stage"))


@pytest.fixture(scope="module", params=list(Family))
def fitted(request: pytest.FixtureRequest, book: Book) -> Fitted:
    return fit(book, replace(OPTIONS, family=request.param))


def test_a_model_says_what_its_fit_said(fitted: Fitted, tmp_path: Path) -> None:
    fitted.write(tmp_path / "model")
    model = artifact.read(tmp_path / "model")
    x = fitted.encoder.matrix(fitted.split.test.frame)[:200]
    np.testing.assert_allclose(model.margins(x), fitted.margins(x), rtol=0, atol=1e-9)
    one = model.read(x[0])
    np.testing.assert_allclose(one.margins + model.overlay, fitted.margins(x[:1])[0], atol=1e-9)
    assert model.card["family"] == fitted.card["parameters"]["family"]


def test_its_parts_add_up_to_its_price(fitted: Fitted, tmp_path: Path) -> None:
    fitted.write(tmp_path / "model")
    model = artifact.read(tmp_path / "model")
    rules = policy.load(currency=model.currency)
    loan = TermLoan(Terms(1e6, 36, "linear")).priced(rules, model.edges)
    for x in fitted.encoder.matrix(fitted.split.test.frame)[:20]:
        reading = model.read(x)
        parts = attribute(model, reading, loan)
        spread_bps = loan.price(reading.margins + model.overlay).figure_bps
        told = parts.base_bps + parts.columns_bps.sum() + parts.macro_bps
        assert told == pytest.approx(spread_bps, rel=0, abs=1e-6)
        margins = reading.margins + model.overlay
        slopes = model.slopes(margins)
        sd_bag = model.sd_bag(reading, slopes, model.members.spread(reading.trees.row, slopes))
        low, high = ends_of(loan, model.ends(margins, sd_bag)).bps
        assert sd_bag > 0
        assert (low or 0.0) < spread_bps < (high or 0.0)


def test_no_step_goes_against_a_direction_where_anything_binds(
    fitted: Fitted, tmp_path: Path
) -> None:
    fitted.write(tmp_path / "model")
    model = artifact.read(tmp_path / "model")
    x = fitted.encoder.matrix(fitted.split.test.frame)[:60]
    assert bool(monotone.violations(model, x)) == (fitted.card["family"] == "tabm")


def test_members_of_every_kind_are_heard_around_the_mean(fitted: Fitted) -> None:
    x = fitted.encoder.matrix(fitted.split.test.frame)[:50]
    mean = fitted.causes.margins(x, threads=1)[:, DEFAULT]
    kinds = fitted.causes.members(x, threads=1)
    assert (
        len(kinds) == {"boosted": 1, "network": 1, "blended": 2, "tabm": 1}[fitted.card["family"]]
    )
    for members in kinds:
        assert len(members) == 2
        np.testing.assert_allclose(members.mean(axis=0), mean, rtol=0, atol=1e-9)
    assert drift.judge(fitted, fitted.margins(fitted.encoder.matrix(fitted.split.test.frame)), [])
