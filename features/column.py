"""What a column means, declared once: encoder, request schema, form and dictionary read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a column means, which decides how it is validated, encoded and shown."""

    MONEY = "money"  # in the set's currency
    RATIO = "ratio"  # a plain number, 1.0 = 100 %
    COUNT = "count"  # a whole number >= 0
    NUMBER = "number"  # any other number, in its unit (months, points, percent)
    FLAG = "flag"  # true or false
    CATEGORY = "category"  # one of a set of names, encoded ordinally


class Direction(StrEnum):
    """What more of the column must do to the risk, at every age."""

    RAISES = "raises"
    LOWERS = "lowers"
    FREE = "free"

    @property
    def sign(self) -> int:
        """Return +1, -1 or 0, as LightGBM's monotone_constraints takes it."""
        return {"raises": 1, "lowers": -1, "free": 0}[self.value]


@dataclass(frozen=True)
class Column:
    """One thing known of a project."""

    name: str
    kind: Kind
    unit: str
    group: str
    source: str
    label: str
    label_zh: str
    meaning: str
    meaning_zh: str
    low: float | None = None  # allowed range, both ends included; None is open
    high: float | None = None
    direction: Direction = Direction.FREE
    reason: str = ""  # why the direction holds; required unless free
    optional: bool = True  # missing = "allowed"; False refuses a project without it
    levels: tuple[str, ...] = ()  # of a category; empty: any name, unseen ones are missing
    expression: str | None = None  # `from` in TOML: SQL over the data file's own columns
    terms: str | None = None  # filled from this field of the loan's terms at quote time
    unit_zh: str = ""  # the unit in Chinese sentences; empty: as `unit`
    protected: bool = False  # its levels must be treated alike: the validation pack compares them
    movable: bool = False  # the firm can change it before it borrows, and nothing else need change
    reason_zh: str = ""  # the reason in Chinese; empty: as `reason`
    levels_zh: tuple[str, ...] = ()  # the levels in Chinese, in their order; empty: as `levels`

    def level_in_chinese(self, level: str) -> str:
        """Return what a level is called in Chinese; one of which nothing is said stays itself."""
        return dict(zip(self.levels, self.levels_zh, strict=False)).get(level, level)

    @property
    def numeric(self) -> bool:
        """Return whether values are numbers, so that a range and a direction have a meaning."""
        return self.kind not in (Kind.FLAG, Kind.CATEGORY)

    @property
    def expected(self) -> str:
        """Return what a value must be, in words.

        >>> text = dict.fromkeys("unit group source label label_zh meaning meaning_zh".split(), "")
        >>> Column(name="age", kind=Kind.COUNT, low=0, high=99, **text).expected
        'a whole number from 0 to 99'
        """
        if self.kind is Kind.FLAG:
            return "true or false"
        if self.kind is Kind.CATEGORY:
            return f"one of {', '.join(self.levels)}" if self.levels else "text"
        noun = "a whole number" if self.kind is Kind.COUNT else "a finite number"
        match (self.low, self.high):
            case (None, None):
                return noun
            case (float() | int() as low, None):
                return f"{noun} of at least {low:.15g}"
            case (None, float() | int() as high):
                return f"{noun} of at most {high:.15g}"
            case (low, high):
                return f"{noun} from {low:.15g} to {high:.15g}"


@dataclass(frozen=True)
class Outcome:
    """How a data file says what became of a project: SQL expressions over its columns.

    What happened after `followed_until` counts as not having happened.
    """

    origination: str
    event: str  # one of default_values or exit_values; null is "nothing happened"
    event_date: str  # read where an event is named
    followed_until: str
    default_values: tuple[str, ...] = ("default",)
    exit_values: tuple[str, ...] = ()
    known_date: str | None = None  # when the event became known; absent: on the event date
    exposure: str | None = None  # > 0; with the loss, of defaults
    loss: str | None = None  # from 0 to the exposure; loss / exposure is the loss given default
    loss_months: int = 0  # from the default until its loss is known
    weight: str | None = None
    keep: str | None = None  # rows to use
    loan: str | None = None  # names a loan; a file that holds one twice is refused


@dataclass(frozen=True)
class Window:
    """The split by time: train on [train_from, test_from), test on [test_from, test_to)."""

    train_from: date | None = None
    test_from: date | None = None
    test_to: date | None = None


@dataclass(frozen=True)
class ColumnSet:
    """Everything a model may know, in order; the order is the model's column order."""

    name: str
    version: str
    title: str
    currency: str
    columns: tuple[Column, ...]
    groups: dict[str, tuple[str, str]]  # name -> title in English, in Chinese
    sources: dict[str, tuple[str, str]]
    age_edges_months: tuple[int, ...]
    outcome: Outcome
    window: Window = field(default_factory=Window)
    innovation: frozenset[str] = frozenset()  # the groups that tell of new technology, not of money

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the column names, in the model's order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def groups_told(self) -> tuple[str, ...]:
        """Return the groups of which there is a column."""
        told = {column.group for column in self.columns}
        return tuple(name for name in self.groups if name in told)

    @cached_property
    def group_of(self) -> tuple[int, ...]:
        """Return the place of each column's group among those told."""
        return tuple(self.groups_told.index(column.group) for column in self.columns)

    @property
    def asked(self) -> tuple[Column, ...]:
        """Return the columns a caller sends; the others come from the loan's terms."""
        return tuple(column for column in self.columns if column.terms is None)
