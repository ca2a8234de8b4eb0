"""A field of a request: how it is checked, how it is said in a fault, how it is documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import CoreSchema, core_schema

from features.column import Column, ColumnSet, Kind
from pricing.schedule import AMOUNTS, LONGEST_TERM, PAYMENT_MONTHS, REPAYMENTS

LONGEST_TEXT = 200


@dataclass(frozen=True)
class Field:
    """One field. `json` is its JSON Schema, `check` what pydantic holds a value to."""

    name: str
    expected: str  # in words, after "must be"
    check: CoreSchema
    json: dict[str, Any]
    required: bool = True
    within: tuple[Field, ...] = ()  # of an object, or of every one of a list of them
    integral: bool = False

    def told(self, given: Mapping[str, Any]) -> Any:
        """Return what was understood of what was given."""
        value = given.get(self.name)
        if value is None:
            return self.json.get("default")
        if self.within:
            many = isinstance(value, list)
            return [self._told(one) for one in value] if many else self._told(value)
        return int(value) if self.integral else value

    def _told(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {field.name: field.told(given) for field in self.within}


def number(
    name: str, expected: str, *, low: float | None = None, high: float | None = None
) -> Field:
    """Return a field that takes a finite number; true and false are none.

    Args:
        name: of the field, in the request.
        expected: the allowed values in words.
        low: least value, in the field's own unit.
        high: greatest value.
    """
    check = core_schema.float_schema(strict=True, allow_inf_nan=False, ge=low, le=high)
    bounds = {"minimum": low, "maximum": high}
    given = {key: _tidy(bound) for key, bound in bounds.items() if bound is not None}
    return Field(name, expected, check, {"type": "number", **given})


def whole(
    name: str, expected: str, *, low: float | None = None, high: float | None = None
) -> Field:
    """Return a field that takes a whole number from low to high; 3.0 is one, as in JSON Schema."""
    field = number(name, expected, low=low, high=high)
    check = core_schema.no_info_after_validator_function(_whole, field.check)
    return Field(name, expected, check, {**field.json, "type": "integer"}, integral=True)


def flag(name: str, expected: str = "true or false") -> Field:
    """Return a field that takes true or false."""
    return Field(name, expected, core_schema.bool_schema(strict=True), {"type": "boolean"})


def one_of(name: str, values: Sequence[str]) -> Field:
    """Return a field that takes one of a set of names."""
    check = core_schema.literal_schema(list(values))
    return Field(name, f"one of {', '.join(values)}", check, {"enum": list(values)})


def text(name: str, expected: str, *, longest: int = LONGEST_TEXT) -> Field:
    """Return a field that takes any text within a length."""
    check = core_schema.str_schema(strict=True, min_length=1, max_length=longest)
    return Field(name, expected, check, {"type": "string", "minLength": 1, "maxLength": longest})


def nested(name: str, expected: str, fields: Sequence[Field]) -> Field:
    """Return a field that takes an object."""
    return Field(name, expected, record(fields), schema(fields), within=tuple(fields))


def rows(name: str, expected: str, fields: Sequence[Field], *, fewest: int = 1, most: int) -> Field:
    """Return a field that takes a list of fewest to most objects."""
    check = core_schema.list_schema(record(fields), strict=True, min_length=fewest, max_length=most)
    json = {"type": "array", "minItems": fewest, "maxItems": most, "items": schema(fields)}
    return Field(name, expected, check, json, within=tuple(fields))


def schema(fields: Sequence[Field]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these fields and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.required],
        "properties": {
            field.name: {"description": f"Must be {field.expected}.", **field.json}
            for field in fields
        },
    }


def optional(field: Field, default: Any = None) -> Field:
    """Return the field as one that may be left out, or be null, which means the default."""
    json = {**field.json, "default": default}
    if "enum" in json:
        json["enum"] = [*json["enum"], None]
    else:
        json["type"] = [json["type"], "null"]
    check = core_schema.nullable_schema(field.check)
    said = f"{field.expected}, or null"
    return replace(field, expected=said, check=check, json=json, required=False)


def of_column(column: Column) -> Field:
    """Return the field in which a caller gives a column's value."""
    name, expected = column.name, column.expected
    match column.kind:
        case Kind.FLAG:
            field = flag(name, expected)
        case Kind.CATEGORY if column.levels:
            field = one_of(name, column.levels)
        case Kind.CATEGORY:
            field = text(name, f"text of 1 to {LONGEST_TEXT} characters")
        case Kind.COUNT:
            field = whole(name, expected, low=column.low, high=column.high)
        case _:
            field = number(name, expected, low=column.low, high=column.high)
    return optional(field) if column.optional else field


def of_loan(column_set: ColumnSet) -> tuple[Field, ...]:
    """Return the fields of a loan's terms, within what the model's columns allow of them."""
    by_terms = {column.terms: column for column in column_set.columns if column.terms}
    amount = by_terms.get("amount")
    repayment = by_terms.get("repayment")
    longest = min(LONGEST_TERM, column_set.age_edges_months[-1])
    fewest, most = _bounds(by_terms.get("term_months"), 1, longest)
    least, largest = AMOUNTS
    _, most_grace = _bounds(by_terms.get("grace_months"), 0, longest)
    return (
        number("amount", amount.expected, low=amount.low, high=amount.high)
        if amount
        else number("amount", f"a number from {least:g} to {largest:g}", low=least, high=largest),
        whole(
            "term_months",
            f"a whole number of months, {fewest} to {most}",
            low=fewest,
            high=most,
        ),
        one_of("repayment", repayment.levels if repayment and repayment.levels else REPAYMENTS),
        optional(
            whole(
                "grace_months",
                f"a whole number of months, 0 to {most_grace}, below the term",
                low=0,
                high=most_grace,
            ),
            0,
        ),
        optional(_months_between_payments(), 1),
    )


def record(fields: Sequence[Field]) -> CoreSchema:
    """Return the check of an object that has these fields and no others."""
    return core_schema.typed_dict_schema(
        {
            field.name: core_schema.typed_dict_field(field.check, required=field.required)
            for field in fields
        },
        extra_behavior="forbid",
    )


def _months_between_payments() -> Field:
    words = "1, 3, 6 or 12, a divisor of the term"
    field = whole("payment_months", words, low=1, high=12)
    check = core_schema.chain_schema([field.check, core_schema.literal_schema([*PAYMENT_MONTHS])])
    return replace(field, check=check, json={"enum": [*PAYMENT_MONTHS]})


def _bounds(column: Column | None, low: int, high: int) -> tuple[int, int]:
    if column is None:
        return low, high
    lowest = low if column.low is None else max(low, int(column.low))
    return lowest, high if column.high is None else min(high, int(column.high))


def _whole(value: float) -> float:
    if not value.is_integer():
        raise ValueError("not whole")
    return value


def _tidy(bound: float) -> float | int:
    return int(bound) if float(bound).is_integer() and abs(bound) < 2**53 else bound
