"""Candidates that must never serve: each is put on a shelf, and says why it will be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models import artifact, statement
from tests.serving import shelf
from tests.serving.shelf import Shelf
from tests.serving.small_model import said

Bad = Callable[[Shelf, list[Path], Path], str]  # the shelf, the models made, a folder of its own


def unsigned(books: Shelf, made: list[Path], folder: Path) -> str:
    books.point("2", "")
    return "must be signed"


def of_a_stranger(books: Shelf, made: list[Path], folder: Path) -> str:
    shelf.stranger(books, folder).promote("2")
    return "signed by a trusted key"


def without_its_gates(books: Shelf, made: list[Path], folder: Path) -> str:
    """The statement is of the challenger, whose gates are fewer."""
    told = said(artifact.verify(made[1]), alias="challenger", version="2", turn=9)
    books.point("2", statement.sign(told, books.key))
    return "the signed alias must be champion"


def broken(books: Shelf, made: list[Path], folder: Path) -> str:
    """Register a version one file of which is not what was signed."""
    number = books.add(shelf.resealed(made[1], folder / "broken", lambda model: None))
    (books.store / "broken" / "data" / "model" / "card.json").write_text("{}")
    return number


def of_other_bytes(books: Shelf, made: list[Path], folder: Path) -> str:
    books.promote(broken(books, made, folder))
    return r"card\.json must have SHA-256"


def that_crashes(books: Shelf, made: list[Path], folder: Path) -> str:
    books.promote(books.add(shelf.resealed(made[1], folder / "wide", shelf.wide)))
    return "its process died of SIG"


def cut_short(books: Shelf, made: list[Path], folder: Path) -> str:
    books.promote(books.add(shelf.resealed(made[1], folder / "cut", shelf.cut)))
    return "a booster must be a whole text"


def off_by_one_bit(books: Shelf, made: list[Path], folder: Path) -> str:
    books.promote(books.add(shelf.resealed(made[1], folder / "bit", shelf.one_bit)))
    return "golden vector 0 must have spread_bps"


ALL: list[Bad] = [
    unsigned,
    of_a_stranger,
    without_its_gates,
    of_other_bytes,
    that_crashes,
    cut_short,
    off_by_one_bit,
]
