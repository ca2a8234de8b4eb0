from __future__ import annotations

import polars as pl
import pytest

from features.sql import evaluate, expression, is_column, reads
from pricing.errors import InputError

FRAME = pl.DataFrame({"a": [1, 2, 3, 4], "Odd name": [5.0, None, 7.0, 8.0]})


@pytest.mark.parametrize(
    "text", ["", " ", "a,", "a, b", "SELECT a", "a; DROP TABLE b", "*", "nope(a)", "a +"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="staff must be an SQL expression"):
        expression(text, "staff")


def test_a_constant_is_repeated() -> None:
    assert evaluate(FRAME, "DATE '2014-01-01'", "day").len() == 4


def test_an_expression_reads_its_columns_by_any_name() -> None:
    assert evaluate(FRAME, 'a / "Odd name"', "ratio").to_list() == [0.2, None, 3 / 7, 0.5]
    assert reads('a / "Odd name"') == {"a", "Odd name"}
    assert is_column('"Odd name"')
    assert not is_column("a + 1")


@pytest.mark.parametrize("text", ["a = 'x'", "UPPER(a)", "(SELECT 1)", '"^.*$"'])
def test_an_expression_that_does_not_fit_the_file_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="field must be"):
        evaluate(FRAME, text, "field")


@pytest.mark.parametrize("text", ["AVG(a)", "a - AVG(a)", "LAG(a) OVER (ORDER BY a)", "MAX(a)"])
def test_an_expression_over_other_rows_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="by itself"):
        evaluate(FRAME, text, "field")
