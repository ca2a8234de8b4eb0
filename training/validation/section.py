"""A section of the pack: a verdict in one sentence, its figures, its tables and its drawings."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from matplotlib.figure import Figure

from training.metrics import Interval

NONE = "–"


class Light(StrEnum):
    """How a section looks to a reader in a hurry."""

    GREEN = "green"  # nothing to see
    AMBER = "amber"  # to be looked at before the version serves
    RED = "red"  # to be answered before the version serves
    GREY = "grey"  # a statement, or not measured


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column is a name, the others are figures or words."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    wordy: bool = False  # whether the other columns are words too, and may break


@dataclass(frozen=True)
class Drawing:
    """A figure as an SVG in a data address, and what it shows for those who do not see it."""

    title: str
    address: str

    @classmethod
    def of(cls, figure: Figure, title: str) -> Drawing:
        """Return a drawn figure; without dates, so that the same figures give the same bytes."""
        room = io.BytesIO()
        figure.savefig(room, format="svg", metadata={"Date": None})
        coded = base64.b64encode(room.getvalue()).decode("ascii")
        return cls(title, f"data:image/svg+xml;base64,{coded}")


@dataclass(frozen=True)
class Section:
    """One question to the version.

    Attributes:
        name: in the JSON and in links.
        title: on the page.
        light: of the verdict.
        verdict: one plain sentence.
        figures: every number, as JSON holds it.
        tables: for the page.
        drawings: for the page.
        notes: paragraphs that say how to read them.
    """

    name: str
    title: str
    light: Light
    verdict: str
    figures: Mapping[str, Any]
    tables: Sequence[Table] = ()
    drawings: Sequence[Drawing] = ()
    notes: Sequence[str] = field(default=())


def worst(lights: Sequence[Light]) -> Light:
    """Return the light that asks for most attention; grey where there is none.

    >>> worst([Light.GREEN, Light.AMBER])
    <Light.AMBER: 'amber'>
    """
    order = (Light.RED, Light.AMBER, Light.GREEN)
    return next((light for light in order if light in lights), Light.GREY)


def finite(value: Any) -> Any:
    """Return what JSON may hold: numbers that are not finite become null, arrays lists.

    >>> finite({"a": float("nan"), 3: (1.0, True)})
    {'a': None, '3': [1.0, True]}
    """
    if isinstance(value, Interval):
        return finite({"value": value.value, "low": value.low, "high": value.high})
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def ranged(it: Interval, digits: int = 3, *, sign: str = "") -> str:
    """Return a figure with its interval: "0.812 [0.790, 0.834]"."""
    if not math.isfinite(it.value):
        return NONE
    ends = [f"{end:{sign}.{digits}f}" for end in (it.value, it.low, it.high)]
    return ends[0] if not math.isfinite(it.low) else f"{ends[0]} [{ends[1]}, {ends[2]}]"


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many digits; a dash for none.

    Args:
        value: of any unit, which the head of its column says.
        digits: after the point.
    """
    return f"{value:,.{digits}f}" if math.isfinite(value) else NONE


def percent(share: float, digits: int = 1) -> str:
    """Return a share as percent; a dash for none."""
    return f"{share:.{digits}%}" if math.isfinite(share) else NONE


def counted(many: int, noun: str) -> str:
    """Return a number of things.

    >>> counted(1, "column"), counted(2, "column")
    ('1 column', '2 columns')
    """
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
