"""Numba's cache looks only at the file of the kernel that is called; hence this rule."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import FunctionType

import pytest
from numba.core.dispatcher import Dispatcher

import pricing
from pricing import kernels

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
    assert {"figures", "gradients"} <= {kernel.__name__ for kernel in kernels_of(kernels)}
