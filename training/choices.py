"""The options that several commands share, and what their words mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pricing.errors import InputError
from training.options import Family
from training.split import Labels

ALL = "all"  # families

Columns = Annotated[
    str, typer.Option(help="early_stage, sba, or the path of a bank's own TOML file.")
]
DataFile = Annotated[
    Path | None, typer.Option("--data", help="Parquet or CSV; without it, early_stage simulates.")
]
Known = Annotated[
    str,
    typer.Option(help='"snapshot": outcomes known when the test begins; "mature": all of them.'),
]
Seed = Annotated[int, typer.Option(min=0, help="Of every draw.")]
Threads = Annotated[int, typer.Option(min=1, help="Of LightGBM.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the version's tags.")]
By = Annotated[str | None, typer.Option("--by", help="Who; by default the user of this session.")]


def family_of(given: str) -> Family:
    """Return the family of this name.

    Raises:
        InputError: there is none.
    """
    known = [one.value for one in Family]
    if given not in known:
        raise InputError.of("family", " or ".join(known), given)
    return Family(given)


def families_of(given: str | None) -> list[Family | None]:
    """Return the families to fit: the one of this name, every one of "all", or None for any.

    Raises:
        InputError: there is none.
    """
    if given is None:
        return [None]
    if given == ALL:
        return [*Family]
    known = [one.value for one in Family]
    if given not in known:
        raise InputError.of("family", " or ".join([*known, ALL]), given)
    return [Family(given)]


def labels_of(given: str) -> Labels:
    """Return the labels that a command calls so.

    Raises:
        InputError: none are.
    """
    known = {"snapshot": Labels.AS_KNOWN, "mature": Labels.MATURE}
    if given not in known:
        raise InputError.of("labels", " or ".join(known), given)
    return known[given]
