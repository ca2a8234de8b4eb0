"""The card of a model: from what, when, how and with which numbers it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import lightgbm

from features.book import DEFAULTED, EXITED, Book
from training.network import Lesson
from training.options import Options
from training.overlay import Level
from training.severity import Severity
from training.split import Split, name_of
from training.stopping import Stopping


def card(
    parts: Split,
    options: Options,
    sizes: Mapping[str, Stopping | Lesson | None],
    loss: Severity,
    level: Level,
    background_rows: int,
) -> dict[str, Any]:
    """Return the card of a fit, as JSON holds it.

    Args:
        parts: the two books.
        options: of the fit.
        sizes: of each cause's trees and of the lessons of networks, and how they were found.
        loss: the LGD model.
        level: the overlay.
        background_rows: projects that a price is compared with.
    """
    column_set = parts.train.column_set
    return {
        "name": options.name,
        "family": options.family.value,
        "column_set": {"name": column_set.name, "version": column_set.version},
        "data": {"digest": parts.train.digest},
        "split": {
            "train_from": name_of(parts.train_from),
            "test_from": name_of(parts.test_from),
            "test_to": name_of(parts.test_to),
            "labels": parts.labels.value,
        },
        "counts": {"train": _counts(parts.train), "test": _counts(parts.test)},
        "parameters": _plain(asdict(options)),
        "sizes": {
            cause: None if size is None else _plain(asdict(size)) for cause, size in sizes.items()
        },
        "lgd": {"form": loss.source, "losses": loss.losses, "mean": loss.mean},
        "level": {
            "from": name_of(level.from_month),
            "to": name_of(level.to_month),
            "observed": level.observed,
            "expected": level.expected,
            "shift": level.shift,
        },
        "background": {"rows": background_rows, "of": "training projects, weighted"},
        "libraries": {"lightgbm": lightgbm.__version__},
    }


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return what is nested in one level, as text.

    >>> flat({"seed": 20, "exit": {"members": 2}})
    {'seed': '20', 'exit.members': '2'}
    """
    found: dict[str, str] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def _counts(book: Book) -> dict[str, float]:
    return {
        "projects": len(book.event),
        "weight": float(book.weight.sum()),
        "defaults": int((book.event == DEFAULTED).sum()),
        "exits": int((book.event == EXITED).sum()),
    }


def _plain(value: Any) -> Any:
    """Return what JSON holds of dataclasses turned into dictionaries: keys are strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
