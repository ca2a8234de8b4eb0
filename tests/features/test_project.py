from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.column import ColumnSet
from features.project import faults
from features.sets import load
from tests.bank import TOML

BANK = load(TOML)
SOUND: dict[str, object] = {
    "equity_ratio": 0.3, "staff": 4, "age_years": 2.5, "audited": True, "branch": "07",
}  # fmt: skip


def said(project: Mapping[str, object], column_set: ColumnSet = BANK) -> list[str]:
    return [str(fault) for fault in faults(column_set, project)]


def test_a_sound_project_has_no_fault() -> None:
    assert said(SOUND) == []
    assert said({}) == []  # every column of this bank may be missing
    assert said(dict.fromkeys(SOUND)) == []


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = {"equity_ratio": np.float64(0.3), "staff": np.int64(4), "audited": np.bool_(True)}
    assert said(numpy) == []


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("equity_ratio", 1.01, "a finite number from -2 to 1"),
        ("equity_ratio", "0.3", "a finite number from -2 to 1"),
        ("equity_ratio", True, "a finite number from -2 to 1"),
        ("equity_ratio", math.nan, "a finite number from -2 to 1"),
        ("equity_ratio", [0.3], "a finite number from -2 to 1"),
        ("age_years", math.inf, "a finite number of at least 0"),
        ("age_years", 10**400, "a finite number of at least 0"),
        ("age_years", -0.1, "a finite number of at least 0"),
        ("staff", 3.5, "a whole number from 0 to 10000"),
        ("staff", -1, "a whole number from 0 to 10000"),
        ("audited", "yes", "true or false"),
        ("audited", 1, "true or false"),
        ("branch", 7, "text"),
        ("branch", "", "text"),
    ],
)
def test_an_unfit_value_is_refused(column: str, value: object, expected: str) -> None:
    assert said({column: value}) == [f"project.{column} must be {expected}, however: {value!r}"]


def test_every_fault_is_reported_at_once_in_the_set_s_order() -> None:
    found = faults(BANK, {"zzz": 1, "branch": 7, "staff": -1, "equity_ratio": "x"})
    assert [fault.field for fault in found] == [
        "project.equity_ratio", "project.staff", "project.branch", "project.zzz",
    ]  # fmt: skip


def test_an_unknown_name_is_told_the_nearest() -> None:
    assert "did you mean equity_ratio?" in said({"equity_ration": 0.3})[0]


def test_what_the_terms_say_is_not_said_twice() -> None:
    assert said({"loan_amount": 1}) == [
        "project.loan_amount must be absent, as it is read from terms.amount, however: given"
    ]


def test_a_refused_missing_value_is_a_fault() -> None:
    columns = tuple(replace(c, optional=c.name != "staff") for c in BANK.columns)
    expected = "a whole number from 0 to 10000, never missing"
    for project in ({}, {"staff": None}):
        assert said(project, replace(BANK, columns=columns)) == [
            f"project.staff must be {expected}, however: missing"
        ]


def test_levels_are_a_closed_list() -> None:
    columns = tuple(
        replace(c, levels=("01", "07")) if c.name == "branch" else c for c in BANK.columns
    )
    closed = replace(BANK, columns=columns)
    assert said({"branch": "07"}, closed) == []
    assert said({"branch": "08"}, closed) == ["project.branch must be one of 01, 07, however: '08'"]


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())


@settings(deadline=None)  # a busy machine is not a failure
@given(st.dictionaries(st.sampled_from([*SOUND, "other"]), anything))
def test_no_value_whatever_makes_the_check_fail(project: dict[str, object]) -> None:
    assert all(fault.field.startswith("project.") for fault in faults(BANK, project))
