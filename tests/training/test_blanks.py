from __future__ import annotations

import numpy as np

from tests.training import books
from training.blanks import Blanks

NAMES = [column.name for column in books.COLUMNS]


def blanked(cell_share: float, source_share: float) -> np.ndarray:
    blanks = Blanks.of(books.column_set(), cell_share=cell_share, source_share=source_share)
    x = np.ones((20_000, len(NAMES)))
    out = np.isnan(blanks.put_into(x, np.random.default_rng(0)))
    assert not np.isnan(x).any()  # the original is left alone
    return out


def test_cells_of_optional_columns_go_missing_as_often_as_said() -> None:
    missing = blanked(0.05, 0.0).mean(axis=0)
    np.testing.assert_allclose(missing[:-1], 0.05, atol=0.005, rtol=0)


def test_a_column_that_must_be_given_never_goes_missing() -> None:
    assert not blanked(0.5, 0.5)[:, NAMES.index("must")].any()


def test_a_column_of_the_terms_never_goes_missing() -> None:
    columns = (books.column("term", terms="term_months"), books.column("debt"))
    blanks = Blanks.of(books.column_set(columns), cell_share=0.5, source_share=0.5)
    assert blanks.cells == (1,)
    assert blanks.sources == ((1,),)


def test_the_columns_of_a_lost_source_go_missing_together() -> None:
    missing = blanked(0.0, 0.1)
    debt, cash, size, sector = (NAMES.index(n) for n in ("debt", "cash", "size", "sector"))
    assert (missing[:, debt] == missing[:, cash]).all()
    assert (missing[:, size] == missing[:, sector]).all()
    assert (missing[:, debt] != missing[:, size]).any()
    assert (
        missing[:, debt].mean() == np.float64(0.1).round(2)
        or abs(missing[:, debt].mean() - 0.1) < 0.01
    )
