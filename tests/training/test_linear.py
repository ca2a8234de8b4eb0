from __future__ import annotations

import numpy as np
import pytest

from tests.training import books
from tests.training.test_boost import NAMES, matrix
from training import linear
from training.linear import fit_linear
from training.periods import Periods


@pytest.fixture(scope="module")
def periods() -> Periods:
    book = books.book(20_000)
    return Periods.of(matrix(book), book, cause="default")


def test_the_planted_slopes_are_found(periods: Periods) -> None:
    fitted = fit_linear(periods)
    slopes = fitted.slopes[: len(NAMES)] / fitted.scale
    # books.book: 0.8 debt, -0.5 cash, nothing of must
    assert slopes[NAMES.index("debt")] == pytest.approx(0.8, abs=0.06)
    assert slopes[NAMES.index("cash")] == pytest.approx(-0.5, abs=0.06)
    assert slopes[NAMES.index("must")] == pytest.approx(0.0, abs=0.06)


def test_the_gradient_of_the_penalised_likelihood_is_nought(periods: Periods) -> None:
    fitted = fit_linear(periods)
    z = fitted.design(periods.x)
    weighted = periods.weight[:, None]
    expected = periods.months * weighted * np.exp(fitted.margins(periods.x))
    short = expected - periods.events * weighted  # (n, K)
    slope = z.T @ short.sum(axis=1) + 2 * linear.RIDGE * fitted.slopes
    assert np.abs(slope).max() < 1e-3 * periods.events.sum()
    assert np.abs(short.sum(axis=0)).max() < 1e-3 * periods.events.sum()


def test_a_missing_cell_is_the_median_and_a_flag(periods: Periods) -> None:
    fitted = fit_linear(periods)
    patents = NAMES.index("patents")
    assert fitted.flagged == (patents,)
    x = periods.x[:1].copy()
    x[0, patents] = np.nan
    z = fitted.design(x)[0]
    middle = (fitted.middle[patents] - fitted.centre[patents]) / fitted.scale[patents]
    assert z[patents] == pytest.approx(middle, rel=1e-12)
    assert z[-1] == 1.0
