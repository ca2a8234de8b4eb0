"""What a request may say, made of the model's columns; the only place where pydantic is used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from pydantic_core import SchemaValidator, ValidationError, core_schema

from features.column import ColumnSet
from models.reasons import Language
from pricing.deal import Deal
from pricing.errors import Fault, InputError
from pricing.override import NUMBERS
from pricing.support.supported import Support
from serving.fields import Field, nested, number, of_column, one_of, optional, record, text
from serving.instruments import KINDS, Kind, kinds

MOST_QUOTES = 500
LONGEST_REFERENCE = 100
LONGEST_GIVEN = 100


@dataclass(frozen=True)
class Asked:
    """A sound request. `project` holds the values as they came; None and absence mean missing."""

    reference: str | None
    project: Mapping[str, object]
    deal: Deal
    instrument: Mapping[str, Any]  # as it was understood
    scheme: str | None
    tier: str | None
    subsidy: str | None
    overrides: Mapping[str, float]
    language: Language

    def support(self, on: date) -> Support | None:
        """Return the support asked for on a day; None where there is none."""
        if self.scheme is None and self.tier is None and self.subsidy is None:
            return None
        return Support(on=on, scheme=self.scheme, tier=self.tier, subsidy=self.subsidy)


@dataclass(frozen=True)
class Contract:
    """What a model can be asked, as fields and as compiled checks."""

    project: tuple[Field, ...]
    kinds: Mapping[str, Kind]
    envelope: tuple[Field, ...]
    _check: SchemaValidator
    _checks: Mapping[str, SchemaValidator]  # of the instrument, by kind
    _expected: Mapping[str, str]  # by path, in words
    _elsewhere: Mapping[str, str]  # column's path -> the path of the terms it is read from

    @classmethod
    def of(cls, column_set: ColumnSet) -> Contract:
        """Return the contract of a column set; made once, when a model is loaded."""
        project = tuple(of_column(column) for column in column_set.asked)
        envelope = (
            optional(text("reference", _REFERENCE, longest=LONGEST_REFERENCE)),
            Field("project", "an object of columns", record(project), {}),
            Field("instrument", "an object with a kind", core_schema.dict_schema(), {}),
            optional(nested("overrides", "an object of numbers of the policy", _OVERRIDES)),
            optional(one_of("language", ("en", "zh")), "en"),
        )
        elsewhere = {
            f"project.{column.name}": f"instrument.{column.terms}"
            for column in column_set.columns
            if column.terms
        }
        known = {kind.name: kind for kind in kinds(column_set)}
        expected = {
            **_words(envelope),
            **_words(project, "project."),
            "instrument.kind": f"one of {', '.join(known)}",
        }
        checks = {
            name: SchemaValidator(record((one_of("kind", (name,)), *kind.fields)))
            for name, kind in known.items()
        }
        check = SchemaValidator(record(envelope))
        return cls(project, known, envelope, check, checks, expected, elsewhere)

    def read(self, body: Any) -> Asked:
        """Return what a body asks for.

        Raises:
            InputError: every fault of every field, in words.
        """
        faults: list[Fault] = []
        deal = None
        try:
            self._check.validate_python(body)
        except ValidationError as error:
            faults += self._faults(error, self._expected)
        given = body.get("instrument") if isinstance(body, Mapping) else None
        if isinstance(given, Mapping):
            try:
                deal = self._deal(given)
            except InputError as error:
                faults += error.faults
        if faults or deal is None:
            raise InputError(faults)
        return Asked(
            reference=body.get("reference"),
            project=body["project"],
            deal=deal,
            instrument=self.kinds[deal.kind].told(given or {}),
            scheme=body["instrument"].get("scheme"),
            tier=body["instrument"].get("tier"),
            subsidy=body["instrument"].get("subsidy"),
            overrides=_numbers(body.get("overrides")),
            language=body.get("language") or "en",
        )

    def _deal(self, given: Mapping[str, Any]) -> Deal:
        """Return the deal that an instrument's object describes; a missing kind is a term loan."""
        name = given.get("kind", KINDS[0])
        if not isinstance(name, str) or name not in self.kinds:
            raise InputError.of("instrument.kind", self._expected["instrument.kind"], _said(name))
        kind = self.kinds[name]
        try:
            self._checks[name].validate_python(given)
        except ValidationError as error:
            own = {"instrument.kind": self._expected["instrument.kind"]}
            expected = {**_words(kind.fields, "instrument."), **own}
            raise InputError([*self._faults(error, expected, "instrument.")]) from None
        try:
            return kind.deal(given)
        except InputError as error:
            raise InputError([as_asked(fault) for fault in error.faults]) from None

    def _faults(
        self, error: ValidationError, expected: Mapping[str, str], before: str = ""
    ) -> Iterator[Fault]:
        for fault in error.errors(include_url=False, include_context=False):
            path = before + _path(fault["loc"])
            words = expected.get(_INDEX.sub("", path), "an object with project and instrument")
            if fault["type"] == "extra_forbidden":
                hint = self._hint(path, expected)
                yield Fault(path, f"absent: there is no such field{hint}", "given")
            elif fault["type"] == "missing":
                yield Fault(path, words, "missing")
            else:
                yield Fault(path or "body", words, _said(fault["input"]))

    def _hint(self, path: str, expected: Mapping[str, str]) -> str:
        if path in self._elsewhere:
            return f" here, as it is read from {self._elsewhere[path]}"
        parent, _, name = path.rpartition(".")
        names = {known.rpartition(".")[2]: known for known in expected}
        near = [own for own, known in names.items() if known.rpartition(".")[0] == parent]
        close = difflib.get_close_matches(name, near, n=1)
        return f" (did you mean {names[close[0]]}?)" if close else ""


_INDEX = re.compile(r"\[[0-9]+\]")
_OVERRIDES = tuple(
    optional(number(name, "a number of basis points within the policy's bounds"))
    for name in NUMBERS
)
_REFERENCE = f"text of 1 to {LONGEST_REFERENCE} characters"
_BATCH = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "quotes": core_schema.typed_dict_field(
                core_schema.list_schema(strict=True, min_length=1, max_length=MOST_QUOTES)
            )
        },
        extra_behavior="forbid",
    )
)


def read_batch(body: Any) -> Sequence[Any]:
    """Return the requests of a batch, not yet read.

    Raises:
        InputError: it is no batch, or none of 1 to 500.
    """
    try:
        quotes: Sequence[Any] = _BATCH.validate_python(body)["quotes"]
    except ValidationError as error:
        raise InputError([_batch_fault(fault) for fault in error.errors()]) from None
    return quotes


def _batch_fault(fault: Mapping[str, Any]) -> Fault:
    path = _path(fault["loc"])
    if fault["type"] == "extra_forbidden":
        return Fault(path, "absent: a batch has `quotes` and nothing else", "given")
    given = fault["input"]
    many = f"a list of 1 to {MOST_QUOTES} requests"
    if not path:
        return Fault("body", f"an object with quotes, {many}", _said(given))
    said = f"a list of {len(given)}" if isinstance(given, list) else _said(given)
    return Fault(path, many, "missing" if fault["type"] == "missing" else said)


def as_asked(fault: Fault) -> Fault:
    """Return a fault of the terms under the name by which the caller gave them."""
    head, _, name = fault.field.partition(".")
    return Fault(f"instrument.{name}", fault.expected, fault.given) if head == "terms" else fault


def _path(parts: Sequence[str | int]) -> str:
    """Return where a value stands, such as milestones[1].month."""
    said = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return "".join(said).removeprefix(".")


def _words(fields: Sequence[Field], before: str = "") -> dict[str, str]:
    """Return what each field must be, by path, those within others too."""
    words = {}
    for field in fields:
        words[before + field.name] = field.expected
        words |= _words(field.within, f"{before}{field.name}.")
    return words


def _numbers(given: Mapping[str, Any] | None) -> Mapping[str, float]:
    return {name: number for name, number in (given or {}).items() if number is not None}


def _said(value: Any) -> str:
    said = orjson.dumps(value).decode()
    return said if len(said) <= LONGEST_GIVEN else f"{said[:LONGEST_GIVEN]}..."
