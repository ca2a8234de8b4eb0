"""Column sets as TOML: those that ship with the project, and a bank's own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from features.column import Column, ColumnSet
from features.declare import column_set
from features.section import Section
from pricing.errors import Fault, InputError

FOLDER = Path(__file__).parent / "sets"
TEXTS = ("name", "kind", "unit", "group", "source", "label", "label_zh", "meaning", "meaning_zh")


def load(name_or_path: str | Path) -> ColumnSet:
    """Return a column set by the name of an embedded one, or from a file.

    >>> load("sba").currency
    'USD'

    Raises:
        InputError: there is no such file, or it declares no sound column set, with every fault.
    """
    embedded = {file.stem: file for file in sorted(FOLDER.glob("*.toml"))}
    path = embedded.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        known = ", ".join(embedded)
        raise InputError.of("columns", f"one of {known}, or a TOML file", name_or_path)
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise InputError.of(path.name, "text in UTF-8", error) from error


def parse(text: str, where: str) -> ColumnSet:
    """Return the column set that a TOML text declares.

    Args:
        text: the TOML.
        where: what the faults call it, as a file's name.

    Raises:
        InputError: with every fault of the text, each at its key.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError.of(where, "TOML", error) from error
    faults: list[Fault] = []
    declared = column_set(Section(f"{where}: ", table, faults))
    if faults:
        raise InputError(faults)
    return declared


def to_toml(declared: ColumnSet) -> str:
    """Return the set's canonical text, which `parse` reads back to an equal set."""
    outcome, window = vars(declared.outcome), vars(declared.window)
    top = {key: getattr(declared, key) for key in ("name", "version", "title", "currency")}
    lines = [*_lines({**top, "age_edges_months": declared.age_edges_months})]
    lines += ["", "[outcome]", *_lines(outcome)]
    lines += ["", "[window]", *_lines(window)]
    for key, titles in (("groups", declared.groups), ("sources", declared.sources)):
        for name, (title, title_zh) in titles.items():
            lines += ["", f"[{key}.{name}]", *_lines({"title": title, "title_zh": title_zh})]
            if key == "groups" and name in declared.innovation:
                lines.append("innovation = true")
    for column in declared.columns:
        lines += ["", "[[columns]]", *_lines(_table(column))]
    return "\n".join(lines) + "\n"


def _table(column: Column) -> dict[str, object]:
    table = {key: getattr(column, key) for key in TEXTS}
    if column.numeric:
        table["range"] = [_open(column.low), _open(column.high)]
    table |= {"unit_zh": column.unit_zh or None}
    table |= {"direction": column.direction, "reason": column.reason or None}
    table |= {"reason_zh": column.reason_zh or None}
    table |= {"missing": "allowed" if column.optional else "refused"}
    table |= {"protected": True if column.protected else None}
    table |= {"movable": True if column.movable else None}
    table |= {"levels": column.levels, "levels_zh": column.levels_zh}
    return table | {"from": column.expression, "terms": column.terms}


def _open(end: float | None) -> float | str:
    return "open" if end is None else end


def _lines(table: dict[str, object]) -> Iterator[str]:
    for key, value in table.items():
        if value is not None and value != ():
            yield f"{key} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, str):  # JSON's escapes are TOML's, but for DEL, which TOML wants escaped
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return repr(value)
