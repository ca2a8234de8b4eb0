"""The servers of the tests of serving, for those of what stands around them."""

from __future__ import annotations

from tests.serving.conftest import process, process_home, var

__all__ = ["process", "process_home", "var"]
