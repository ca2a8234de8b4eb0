"""What a request may say, made of the model's columns; the only place where pydantic is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic_core import SchemaValidator, ValidationError, core_schema

from features.column import ColumnSet
from models.reasons import Language
from pricing.deal import Deal
from pricing.errors import Fault, InputError
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from serving.fields import Field, of_column, of_instrument, one_of, optional, record, text

MOST_QUOTES = 500
LONGEST_REFERENCE = 100
LONGEST_GIVEN = 100


@dataclass(frozen=True)
class Asked:
    """A sound request. `project` holds the values as they came; None and absence mean missing."""

    reference: str | None
    project: Mapping[str, object]
    deal: Deal
    language: Language


@dataclass(frozen=True)
class Contract:
    """What a model can be asked, as fields and as one compiled check."""

    project: tuple[Field, ...]
    instrument: tuple[Field, ...]
    envelope: tuple[Field, ...]
    _check: SchemaValidator
    _expected: Mapping[str, str]  # by path, in words
    _elsewhere: Mapping[str, str]  # column's path -> the path of the terms it is read from

    @classmethod
    def of(cls, column_set: ColumnSet) -> Contract:
        """Return the contract of a column set; made once, when a model is loaded."""
        project = tuple(of_column(column) for column in column_set.asked)
        instrument = of_instrument(column_set)
        envelope = (
            optional(text("reference", _REFERENCE, longest=LONGEST_REFERENCE)),
            Field("project", "an object of columns", record(project), {}),
            Field("instrument", "an object that says the loan", record(instrument), {}),
            optional(one_of("language", ("en", "zh")), "en"),
        )
        expected = {
            **{field.name: field.expected for field in envelope},
            **{f"project.{field.name}": field.expected for field in project},
            **{f"instrument.{field.name}": field.expected for field in instrument},
        }
        elsewhere = {
            f"project.{column.name}": f"instrument.{column.terms}"
            for column in column_set.columns
            if column.terms
        }
        check = SchemaValidator(record(envelope))
        return cls(project, instrument, envelope, check, expected, elsewhere)

    def read(self, body: Any) -> Asked:
        """Return what a body asks for.

        Raises:
            InputError: every fault of every field, in words.
        """
        try:
            self._check.validate_python(body)
        except ValidationError as error:
            faults = [*self._faults(error)]
            if not any(fault.field.startswith(("instrument", "body")) for fault in faults):
                faults += _between_fields(body["instrument"])
            raise InputError(faults) from None
        return Asked(
            reference=body.get("reference"),
            project=body["project"],
            deal=TermLoan(_terms(body["instrument"])),
            language=body.get("language") or "en",
        )

    def _faults(self, error: ValidationError) -> Iterator[Fault]:
        for fault in error.errors(include_url=False, include_context=False):
            path = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "extra_forbidden":
                yield Fault(path, f"absent: there is no such field{self._hint(path)}", "given")
            elif fault["type"] == "missing":
                yield Fault(path, self._expected[path], "missing")
            else:
                expected = self._expected.get(path, "an object with project and instrument")
                yield Fault(path or "body", expected, _said(fault["input"]))

    def _hint(self, path: str) -> str:
        if path in self._elsewhere:
            return f" here, as it is read from {self._elsewhere[path]}"
        parent, _, name = path.rpartition(".")
        names = {known.rpartition(".")[2]: known for known in self._expected}
        near = [own for own, known in names.items() if known.rpartition(".")[0] == parent]
        close = difflib.get_close_matches(name, near, n=1)
        return f" (did you mean {names[close[0]]}?)" if close else ""


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
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return Fault(path, "absent: a batch has `quotes` and nothing else", "given")
    given = fault["input"]
    said = f"a list of {len(given)}" if isinstance(given, list) else _said(given)
    said = "missing" if fault["type"] == "missing" else said
    return Fault(path or "body", f"a list of 1 to {MOST_QUOTES} requests", said)


def _terms(instrument: Mapping[str, Any]) -> Terms:
    """Return the loan's terms; null counts as left out."""
    given = {key: value for key, value in instrument.items() if value is not None}
    try:
        return Terms(
            amount=given["amount"],
            term_months=int(given["term_months"]),
            repayment=given["repayment"],
            grace_months=int(given.get("grace_months", 0)),
            payment_months=int(given.get("payment_months", 1)),
        )
    except InputError as error:
        raise InputError([as_asked(fault) for fault in error.faults]) from None


def as_asked(fault: Fault) -> Fault:
    """Return a fault of the terms under the name by which the caller gave them."""
    head, _, name = fault.field.partition(".")
    return Fault(f"instrument.{name}", fault.expected, fault.given) if head == "terms" else fault


def _between_fields(instrument: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return what is wrong between the fields of an instrument whose fields are each sound."""
    try:
        _terms(instrument)
    except InputError as error:
        return error.faults
    return ()


def _said(value: Any) -> str:
    said = orjson.dumps(value).decode()
    return said if len(said) <= LONGEST_GIVEN else f"{said[:LONGEST_GIVEN]}..."
