"""The rows of a book as the requests that the endpoint would be sent, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from features import file, typed
from pricing.errors import InputError
from serving.contract import Contract
from serving.fields import Field

OWN = ("reference",)  # columns of a request itself
KIND, WITHIN = "instrument", "instrument."
SECTIONS = ("project", "instrument", "overrides")


@dataclass(frozen=True)
class Book:
    """A Parquet file whose columns are those of a request.

    A header is a column of the model (`GET /v1/columns`), `instrument` for the kind, a field of the
    instrument, or `reference`; `instrument.amount` is the field also where the model has a column
    of that name. Others are passed over. Lists and objects may stand as JSON texts.
    """

    path: Path
    rows: int
    project: Mapping[str, Field]  # by header
    instrument: Mapping[str, Field]
    own: tuple[str, ...]
    others: tuple[str, ...]  # what is passed over
    defaults: Mapping[str, Mapping[str, Any]]  # by section, of what a row leaves out

    @classmethod
    def of(cls, path: Path, contract: Contract, defaults: Mapping[str, Any]) -> Book:
        """Look at the headers of a Parquet file.

        Raises:
            InputError: there is no such file, or no column of it says anything.
        """
        headers = file.names(path)
        asked = {field.name: field for field in contract.project}
        fields = {f.name: f for kind in contract.kinds.values() for f in kind.fields}
        project = {name: asked[name] for name in headers if name in asked}
        instrument = {
            name: fields[name.removeprefix(WITHIN)]
            for name in headers
            if name not in asked and name.removeprefix(WITHIN) in fields
        }
        own = tuple(name for name in headers if name in (*OWN, KIND) and name not in asked)
        read = {*project, *instrument, *own}
        if not project:
            expected = "a file with columns of the model, as GET /v1/columns names them"
            raise InputError.of("book", expected, ", ".join(headers[:10]))
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        others = tuple(name for name in headers if name not in read)
        return cls(path, rows, project, instrument, own, others, _sections(defaults))

    def requests(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        """Yield the requests of some rows, counted from 0, as they would be sent."""
        names = [*self.project, *self.instrument, *self.own]
        frame = pl.scan_parquet(self.path).select(names).slice(first, count).collect()
        told = {name: _values(frame[name], field) for name, field in self.project.items()}
        terms = {
            name.removeprefix(WITHIN): _values(frame[name], field)
            for name, field in self.instrument.items()
        }
        own = {name: _texts(frame[name]) for name in self.own}
        kinds = own.pop(KIND, [None] * frame.height)
        rows = (_rows(told, frame.height), _rows(terms, frame.height), _rows(own, frame.height))
        for project, instrument, named, kind in zip(*rows, kinds, strict=True):
            yield {
                **named,
                "project": {**self.defaults["project"], **_known(project)},
                "instrument": {
                    **self.defaults["instrument"],
                    **_known({"kind": kind, **instrument}),
                },
                "overrides": self.defaults["overrides"],
            }


def _sections(given: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    wrong = [name for name in given if name not in SECTIONS]
    if wrong or not all(isinstance(one, Mapping) for one in given.values()):
        expected = f"a TOML file with tables {', '.join(SECTIONS)}"
        raise InputError.of("defaults", expected, ", ".join(given))
    return {name: given.get(name, {}) for name in SECTIONS}


def _rows(columns: Mapping[str, list[Any]], height: int) -> Iterator[dict[str, Any]]:
    if not columns:
        return iter([{} for _ in range(height)])
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _values(raw: pl.Series, field: Field) -> list[Any]:
    """Return a column as a field takes it; what cannot be made so stays, and will be refused."""
    read = _reader(field)(raw)
    values = read.to_list() if isinstance(read, pl.Series) else read
    for row, given in enumerate(typed.given(raw).to_list()):
        if given and values[row] is None:
            values[row] = raw[row]
    return values


def _reader(field: Field) -> Callable[[pl.Series], pl.Series | list[Any]]:
    json = field.json
    kinds = json.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    choices = [one for one in json.get("enum", ()) if one is not None]
    if kinds & {"number", "integer"} or any(isinstance(one, int) for one in choices):
        return typed.numbers
    if "boolean" in kinds:
        return typed.flags
    return _nested if kinds & {"array", "object"} else typed.names


def _nested(raw: pl.Series) -> list[Any]:
    """Return lists and objects as they are; a text is read as JSON."""
    if raw.dtype != pl.String:
        return raw.to_list()
    return [_json(text) for text in raw.to_list()]


def _json(text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _texts(raw: pl.Series) -> list[Any]:
    return typed.names(raw).to_list()
