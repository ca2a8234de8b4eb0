from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from serving.ledger import erasure, migrate
from serving.ledger.audit import audit
from serving.ledger.ledger import Ledger
from serving.ledger.listing import MOST_COUNTED, Sought
from tests.serving.ledger.books import entry, filled, forced, ledger, record, rows


def names(books: Ledger, sought: Sought, **more: str) -> list[str]:
    found = books.store.reader.quotes(more.get("tenant", "local"), sought, None, 99)
    return [one.quote_id for one in found]


def test_quotes_are_found_by_what_is_listed_and_by_their_own_tenant(tmp_path: Path) -> None:
    with ledger(tmp_path) as books:
        mine = [entry(name, reference=f"P-{name}") for name in ("a", "b", "ba")]
        record(books, [*mine, entry("c", tenant="other", reference="P-b")])
        assert names(books, Sought()) == ["ba", "b", "a"]
        assert names(books, Sought(reference="P-b")) == ["ba", "b"]
        assert names(books, Sought(), tenant="other") == ["c"]
        assert names(books, Sought(instrument="equity")) == []
        assert names(books, Sought(model="7", least=36_000, most=36_000)) == ["ba", "b", "a"]
        assert names(books, Sought(least=36_001)) == []
        assert books.store.reader.count("local", Sought()) == 3 <= MOST_COUNTED


def test_pages_hold_every_quote_once_in_both_directions(tmp_path: Path) -> None:
    with ledger(tmp_path) as books:
        record(books, [entry(f"q{at}") for at in range(25)])
        reader, seen, at = books.store.reader, [], None
        while page := reader.quotes("local", Sought(), at, 4):
            seen += [one.quote_id for one in page]
            at = page[-1].place
        assert seen == [f"q{at}" for at in reversed(range(25))]
        back = reader.quotes("local", Sought(), at, 99, newer=True)
        assert [one.quote_id for one in back] == [f"q{at}" for at in range(1, 25)]


def test_what_is_listed_is_erased_with_the_rest(tmp_path: Path) -> None:
    with ledger(tmp_path) as books:
        record(books, [entry("a", reference="KNOWN-BY-NAME"), entry("b")])
        seq = books.store.reader.quotes("local", Sought(reference="KNOWN"), None, 9)[0].place.seq
        asyncio.run(erasure.erase(books, [seq], "as asked"))
        assert names(books, Sought(reference="KNOWN")) == []
        assert names(books, Sought()) == ["b", "a"]
        assert audit(books.store.reader).faults == []
    assert b"KNOWN-BY-NAME" not in (tmp_path / "ledger.db").read_bytes()


def test_what_was_recorded_before_there_was_a_list_is_listed(tmp_path: Path) -> None:
    filled(tmp_path, 30)
    before = rows(tmp_path, "SELECT * FROM quote_index")
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.begin() as connection:
        migrate.downgrade(connection, "0001")
    engine.dispose()
    with pytest.raises(sqlite3.OperationalError):
        rows(tmp_path, "SELECT * FROM quote_index")
    with ledger(tmp_path) as books:
        record(books, [entry("later")])
        assert audit(books.store.reader).faults == []
    assert rows(tmp_path, "SELECT * FROM quote_index")[:30] == before


@pytest.mark.parametrize("change", ["amount = 1", "hundredths = 1", "model = 'x'", "grade = 9"])
def test_the_database_says_no_to_whoever_alters_the_list(tmp_path: Path, change: str) -> None:
    filled(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        with pytest.raises(sqlite3.IntegrityError, match="is not altered"):
            database.execute(f"UPDATE quote_index SET {change}")
    forced(tmp_path, lambda database: database.execute(f"UPDATE quote_index SET {change}"))
    with ledger(tmp_path) as books:
        found = audit(books.store.reader).faults
        assert [fault.partition(":")[0] for fault in found] == [
            f"quote_index {at}" for at in (1, 2, 3)
        ]
