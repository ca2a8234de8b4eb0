from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.ledger import keyring
from serving.ledger.audit import audit
from serving.ledger.held import Held
from serving.ledger.note import Verifier
from serving.ledger.reading import Reader
from serving.ledger.sqlite import read_only
from serving.ledger.tree import leaf_hash
from tests.serving.ledger.books import ORIGIN, filled, forced

SIZE = 600
Change = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger of a key's entry and 599 quotes."""
    folder = tmp_path_factory.mktemp("whole")
    filled(folder, SIZE - 1)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    with (
        sqlite3.connect(whole / "ledger.db") as source,
        sqlite3.connect(tmp_path / "ledger.db") as copy,
    ):
        source.backup(copy)
    source.close()
    copy.close()
    return tmp_path


def key(whole: Path) -> Verifier:
    return keyring.signer(whole / "ledger/signing.key", ORIGIN, make=False).verifier


def faults(folder: Path, whole: Path) -> list[str]:
    reader = Reader(read_only(folder / "ledger.db"))
    kept = Held(whole / "ledger/checkpoint").note()
    assert kept is not None
    found = audit(reader, key(whole), {"our checkpoint": kept})
    reader.close()
    return found.faults


def test_a_whole_log_has_no_faults(folder: Path, whole: Path) -> None:
    assert faults(folder, whole) == []


def flipped(table: str, column: str, where: str) -> Change:
    """Change one bit of a value, or one letter, or add one to a number."""

    def change(database: sqlite3.Connection) -> None:
        query = f"SELECT {column} FROM {table} WHERE {where}"
        (value,) = database.execute(query).fetchone()
        if isinstance(value, bytes):
            altered: object = value[:-1] + bytes([value[-1] ^ 1])
        elif isinstance(value, str):
            altered = value[:-1] + chr(ord(value[-1]) ^ 0x40)
        else:
            altered = (value or 0) + 1_000_000 if value is not None else "x"
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (altered,))

    return change


COLUMNS = [
    *[("entry", name, "seq = 300") for name in (
        "seq", "quote_id", "tenant", "idem_key", "kind", "request", "body", "leaf", "created_us")],
    *[("private", name, "seq = 300") for name in (
        "seq", "tenant", "reference", "salt", "request", "reply")],
    ("head", "size", "id = 0"),
    ("head", "edge", "id = 0"),
    *[("tile", name, "idx = 1") for name in ("level", "idx", "data", "root")],
    ("checkpoint", "size", f"size = {SIZE}"),
    ("checkpoint", "note", f"size = {SIZE}"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column", "where"), COLUMNS)
def test_every_column_that_is_altered_is_noticed(
    folder: Path, whole: Path, table: str, column: str, where: str
) -> None:
    forced(folder, flipped(table, column, where))
    assert faults(folder, whole)


def test_no_column_is_forgotten(folder: Path) -> None:
    with sqlite3.connect(folder / "ledger.db") as database:
        names = {
            (table, row[1])
            for table in ("entry", "private", "head", "tile", "checkpoint")
            for row in database.execute(f"PRAGMA table_info({table})")
        }
    database.close()
    assert names - {("head", "id")} == {(table, column) for table, column, _ in COLUMNS}


def test_every_byte_of_a_body_counts(folder: Path, whole: Path) -> None:
    with sqlite3.connect(folder / "ledger.db") as database:
        (body,) = database.execute("SELECT body FROM entry WHERE seq = 9").fetchone()
    database.close()
    for at in range(0, len(body), 7):
        altered = body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]
        assert leaf_hash(altered) != leaf_hash(body)


def rewritten(database: sqlite3.Connection) -> None:
    """Alter a body and its leaf, so that the row agrees with itself."""
    (body,) = database.execute("SELECT body FROM entry WHERE seq = 40").fetchone()
    body = body.replace(b"360.00", b"260.00")
    sql = "UPDATE entry SET body = ?, leaf = ? WHERE seq = 40"
    database.execute(sql, (body, leaf_hash(body)))


def swapped(database: sqlite3.Connection) -> None:
    for old, new in ((100, -1), (101, 100), (-1, 101)):
        for table in ("entry", "private"):
            database.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))


def cut(database: sqlite3.Connection) -> None:
    """Cut the tail off, and everything that speaks of it."""
    for table in ("entry", "private"):
        database.execute(f"DELETE FROM {table} WHERE seq >= 200")
    database.execute("DELETE FROM checkpoint")
    database.execute("DELETE FROM tile")


@pytest.mark.parametrize(
    "change",
    [
        rewritten,
        swapped,
        cut,
        lambda database: database.execute("DELETE FROM entry WHERE seq = 77"),
        lambda database: database.execute("DELETE FROM private WHERE seq = 77"),
        lambda database: database.execute("DELETE FROM entry WHERE seq = 599"),
        lambda database: database.execute("INSERT INTO private VALUES (9999,'t','r',x'',x'',x'')"),
        lambda database: database.execute(
            "INSERT INTO entry SELECT 600, 'new', tenant, 'new', kind, request, body, leaf, "
            "created_us FROM entry WHERE seq = 5"
        ),
    ],
)
def test_rows_altered_removed_added_or_moved_are_noticed(
    folder: Path, whole: Path, change: Change
) -> None:
    forced(folder, change)
    assert faults(folder, whole)


def test_a_shorter_log_that_agrees_with_itself_is_noticed_by_whoever_holds_a_checkpoint(
    folder: Path, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shorter = tmp_path_factory.mktemp("shorter")
    filled(shorter, 10)
    reader = Reader(read_only(shorter / "ledger.db"))
    own = keyring.signer(shorter / "ledger/signing.key", ORIGIN, make=False).verifier
    assert audit(reader, own).faults == []
    kept = (whole / "ledger/checkpoint").read_text("utf-8")
    assert "at least 600" in audit(reader, own, {"ours": kept}).faults[0]
    reader.close()


def test_a_log_under_another_first_key_is_noticed(folder: Path, tmp_path: Path) -> None:
    other = keyring.signer(tmp_path / "other/signing.key", ORIGIN, make=True).verifier
    reader = Reader(read_only(folder / "ledger.db"))
    assert "the log's first key must be" in audit(reader, other).faults[0]
    reader.close()
