"""The pages in the order in which they are offered: a file each, a line below, and their doors."""

from __future__ import annotations

from serving.console.pages import columns, compare, portfolio, quote, quotes, what_if
from serving.console.visit import Page


def pages() -> tuple[Page, ...]:
    """Return every page but the one that lets people in."""
    return (quotes.PAGE, quote.PAGE, what_if.PAGE, compare.PAGE, portfolio.PAGE, columns.PAGE)
