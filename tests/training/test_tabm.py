from __future__ import annotations

import numpy as np
import torch

from features.encode import Encoder
from models.additive import knots_of
from tests.training.books import EDGES, book
from training.blanks import Blanks
from training.periods import Floats, Periods
from training.shape import Ensemble
from training.tabm import Net, fit_tabm

SHAPE = Ensemble(members=3, nodes=9, width=16, epochs=8, batch=128)
NO_BLANKS = Blanks((), (), 0.0, 0.0)


def world(loans: int = 4000) -> tuple[Periods, Floats]:
    """Return a book whose hazards are known by heart, and their logs at the first age."""
    of = book(loans)
    x = Encoder.fit(of, EDGES, 0)[1]
    debt, cash, size = (of.frame[name].to_numpy() for name in ("debt", "cash", "size"))
    sector = of.frame["sector"].to_numpy() == "c"
    truth = -4.4 + 0.8 * debt - 0.5 * cash + 0.3 * np.abs(size) + 0.3 * sector
    return Periods.of(x, of, cause="default"), truth


def test_what_serves_is_what_torch_learnt() -> None:
    dice, knots = np.random.default_rng(0), knots_of(world(500)[0].x, 9)
    torch.manual_seed(1)
    net = Net(knots, np.linspace(-5, -4, 5), SHAPE)
    torch.nn.init.normal_(net.heads, std=0.1)
    torch.nn.init.normal_(net.missing)
    x = np.where(dice.random((200, 6)) < 0.2, np.nan, dice.normal(size=(200, 6)))
    net.eval()
    expected = net(x).detach().numpy()
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(net.gathered().margins(x), expected, rtol=0, atol=2e-5)
    net.train()
    assert net(x).shape == (3, 200, 5)


def test_it_finds_a_known_hazard_and_its_members_differ() -> None:
    periods, truth = world()
    tabm, lesson = fit_tabm(periods, shape=SHAPE, blanks=NO_BLANKS, seed=1)
    assert lesson.how == "later vintages"
    assert 1 <= len(lesson.rates) <= SHAPE.epochs
    said = tabm.margins(periods.x).mean(axis=1)
    assert np.corrcoef(said, truth)[0, 1] > 0.9
    assert abs(np.average(said - truth)) < 0.2
    each = np.array([one.margins(periods.x[:50]).mean(axis=1) for one in tabm.alone()])
    assert each.std(axis=0).min() > 0


def test_the_same_seed_teaches_the_same() -> None:
    periods, _ = world(1500)
    first, second, other = (
        fit_tabm(periods, shape=SHAPE, blanks=NO_BLANKS, seed=seed)[0].margins(periods.x[:20])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3


def test_a_book_too_small_to_ask_is_taught_half_of_the_epochs() -> None:
    periods, _ = world(300)
    _, lesson = fit_tabm(periods, shape=SHAPE, blanks=NO_BLANKS, seed=1)
    assert (len(lesson.rates), lesson.score) == (4, None)
    assert lesson.how.startswith("fixed: fewer than 100 events")
