"""The servers of the tests of serving, for those of what stands around them."""

from __future__ import annotations

from tests.serving.conftest import process, var

__all__ = ["process", "var"]
