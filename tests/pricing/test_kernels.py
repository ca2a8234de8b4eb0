"""Numba's cache looks only at the file of the kernel that is called; hence this rule."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

import pricing
from pricing import kernels
from pricing.schedule import Terms
from tests.pricing.cases import BUCKETS, Floats, loan, terms

MODULES = [module.name for module in pkgutil.walk_packages(pricing.__path__, "pricing.")]


def kernels_of(module: object) -> Iterator[FunctionType]:
    """Yield the Python functions of a module's own kernels."""
    for value in vars(module).values():
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:  # type: ignore[attr-defined]  # a module
            yield value.py_func


def foreign_calls(function: FunctionType) -> list[str]:
    """Return the kernels of other files that a kernel mentions."""
    named = (function.__globals__.get(name) for name in function.__code__.co_names)
    return [
        f"{function.__qualname__} calls {value.py_func.__module__}.{value.py_func.__name__}"
        for value in named
        if isinstance(value, Dispatcher) and value.py_func.__module__ != function.__module__
    ]


@pytest.mark.parametrize("name", MODULES)
def test_no_kernel_calls_into_another_file(name: str) -> None:
    module = importlib.import_module(name)
    assert [call for kernel in kernels_of(module) for call in foreign_calls(kernel)] == []


def test_the_rule_is_seen_to_fail() -> None:
    def caller(x: float) -> float:
        return normal_cdf(x)  # type: ignore[name-defined, no-any-return]  # noqa: F821  # put in below

    stranger = FunctionType(caller.__code__, {"normal_cdf": kernels.normal_cdf}, "stranger")
    stranger.__module__ = "elsewhere"
    assert foreign_calls(stranger) == [f"{caller.__qualname__} calls pricing.kernels.normal_cdf"]


def test_there_are_kernels_to_look_at() -> None:
    assert {"breakdown", "gradients"} <= {kernel.__name__ for kernel in kernels_of(kernels)}


ANYTHING = st.tuples(terms(), st.integers(2, 3 * kernels.LANES), st.integers(0, 2**32 - 1))


@given(ANYTHING)
def test_a_price_does_not_depend_on_those_that_are_priced_beside_it(
    drawn: tuple[Terms, int, int],
) -> None:
    shape, count, seed = drawn
    rows = some_rows(count, seed)
    legs = loan(shape).legs
    together = kernels.breakdown(rows, legs)
    parts, slopes = kernels.gradients(rows, legs)
    assert parts.tolist() == together.tolist()
    for i in {0, count // 2, count - 2, count - 1}:
        assert kernels.breakdown(rows[i : i + 1], legs)[0].tolist() == together[i].tolist()
        assert kernels.gradients(rows[i : i + 1], legs)[1][0].tolist() == slopes[i].tolist()


def test_a_row_without_a_number_spoils_none_beside_it() -> None:
    rows, legs = some_rows(kernels.LANES, 7), loan(Terms(1e6, 60, "annuity")).legs
    expected = kernels.breakdown(rows, legs)
    rows[5] = np.nan
    together = kernels.breakdown(rows, legs)
    assert np.isnan(together[5, kernels.FIGURE])
    assert (np.delete(together, 5, axis=0) == np.delete(expected, 5, axis=0)).all()


def some_rows(count: int, seed: int) -> Floats:
    """Return (count, 3, K) margins around a hazard of 5 % and exits of 13 % a year."""
    dice = np.random.default_rng(seed)
    middle = np.array([-5.5, -4.5, -0.4])[:, None]
    rows: Floats = middle + dice.standard_normal((count, 3, BUCKETS))
    return rows
