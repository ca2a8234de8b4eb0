"""The same ledger in a real PostgreSQL, written by several processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, make_url

from serving.ledger import erasure, keyring, migrate, tree
from serving.ledger.audit import audit
from serving.ledger.listing import Sought
from serving.ledger.postgres import SELECT_HEAD, PostgresStore
from serving.ledger.schema import METADATA
from serving.problem import RefusedError
from tests.conftest import ROOT
from tests.serving.ledger.books import ORIGIN, entry, ledger, opened, record
from tests.serving.ledger.cluster import Cluster

WRITER = """
import asyncio, sys
from pathlib import Path
from serving.ledger.postgres import PostgresStore
from tests.serving.ledger.books import entry, opened, record

folder, url, name = sys.argv[1:]
books = opened(Path(folder), store=PostgresStore(url))
for batch in range(10):
    record(books, [entry(f"{name}-{batch}-{at}", key=f"{batch}-{at}" if at < 10 else "")
                   for at in range(60)])
books.close()
assert not books.trouble or books.trouble == "it is closed", books.trouble
"""


def engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"))


def test_what_is_recorded_is_found_byte_for_byte(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        one = entry("a")
        assert record(books, [one, entry("b")]) == [None, None]
        kept = asyncio.run(books.find("local", "a"))
        assert kept is not None
        assert (kept.seq, kept.private, kept.body) == (1, one.private, one.body)
        assert asyncio.run(books.find("other", "a")) is None
        assert set(asyncio.run(books.find_keys("local", ["a", "b", "c"]))) == {"a", "b"}
        assert [again and again.quote_id for again in record(books, [entry("x", key="a")])] == ["a"]


def test_two_processes_number_their_rows_without_gaps_and_share_keys(
    database: str, tmp_path: Path
) -> None:
    with ledger(tmp_path, store=PostgresStore(database)):
        pass  # the key is made, and listed
    command = [sys.executable, "-c", WRITER, str(tmp_path), database]
    writers = [subprocess.Popen([*command, name], cwd=ROOT) for name in ("one", "two")]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    store = PostgresStore(database)
    signer = keyring.signer(tmp_path / "ledger/signing.key", ORIGIN, make=False)
    found = audit(store.reader, signer.verifier)
    assert found.faults == []
    assert found.size == 1 + 2 * 600 - 100  # of the keys that both used, each once
    store.close()


def test_the_database_says_no_to_whoever_alters_it(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry(str(at)) for at in range(300)])
    with psycopg.connect(database, autocommit=True) as connection:
        for table in ("entry", "tile", "checkpoint"):
            for sql in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(psycopg.errors.RaiseException, match="is not altered"):
                    connection.execute(sql)
        with pytest.raises(psycopg.errors.RaiseException, match="is not altered"):
            connection.execute("UPDATE entry SET tenant = 'x'")
        with pytest.raises(psycopg.errors.RaiseException, match="is not altered"):
            connection.execute("UPDATE private SET reply = ''")


def test_tampering_is_noticed_here_too(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry(str(at)) for at in range(300)])
    with psycopg.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")  # an owner without triggers
        connection.execute("UPDATE entry SET created_us = created_us + 1 WHERE seq = 7")
    store = PostgresStore(database)
    found = audit(store.reader).faults
    named = ["entry 7", "quote_index 7", "quote_index"]
    assert [fault.partition(":")[0] for fault in found] == named
    store.close()


def test_what_is_listed_is_erased_with_the_rest(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry("a", reference="P-1"), entry("b", reference="P-2")])
        found = books.store.reader.quotes("local", Sought(reference="P-"), None, 9)
        assert [one.quote_id for one in found] == ["b", "a"]
        asyncio.run(erasure.erase(books, [found[0].place.seq], "as asked"))
        left = books.store.reader.quotes("local", Sought(), None, 9)
        assert [(one.quote_id, one.facts.reference) for one in left] == [("b", None), ("a", "P-1")]
        assert audit(books.store.reader).faults == []
    with psycopg.connect(database) as connection:
        for change in ("amount = 1", "hundredths = 1", "model = 'x'"):
            with pytest.raises(psycopg.errors.RaiseException, match="is not altered"):
                connection.execute(f"UPDATE quote_index SET {change}")
            connection.rollback()


def test_what_was_recorded_before_there_was_a_list_is_listed(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry(str(at)) for at in range(30)])
    made = engine(database)
    with made.begin() as connection:
        migrate.downgrade(connection, "0001")
        migrate.upgrade(connection)
    made.dispose()
    store = PostgresStore(database)
    assert store.reader.count("local", Sought()) == 30
    assert audit(store.reader).faults == []
    store.close()


def test_a_replica_that_lags_is_not_continued(database: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry(str(at)) for at in range(9)])
        asyncio.run(books.checkpoint())
        with psycopg.connect(database) as connection:
            connection.execute("SET session_replication_role = replica")
            for table in ("entry", "private"):
                connection.execute(f"DELETE FROM {table} WHERE seq >= 5")
            leaves = connection.execute("SELECT leaf FROM entry ORDER BY seq").fetchall()
            edge = tree.Edge()
            for (leaf,) in leaves:
                edge.add(bytes(leaf))
            packed = edge.packed()
            connection.execute("UPDATE head SET size = 5, edge = %s", (packed,))
        with pytest.raises(RefusedError, match="must have at least 10 entries"):
            record(books, [entry("more")])
        time.sleep(1.5)  # and is not taken up again
        assert "must have at least 10 entries" in books.trouble


def test_a_database_that_is_down_refuses_quickly_and_is_taken_up_again(
    cluster: Cluster, database: str, tmp_path: Path
) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry("before")])
        cluster.stop()
        began = time.monotonic()
        for name in ("x", "y"):
            with pytest.raises(RefusedError) as refused:
                record(books, [entry(name)])
            assert refused.value.problem.code == "not_recorded"
        with pytest.raises(RefusedError):
            asyncio.run(books.find("local", "before"))
        assert time.monotonic() - began < 3  # asked: 1 s, on a machine that is not busy
        cluster.start()
        until = time.monotonic() + 15
        while books.trouble and time.monotonic() < until:
            time.sleep(0.05)
        record(books, [entry("after")])
        assert books.store.reader.head().size == 3
    store = PostgresStore(database)
    assert audit(store.reader).faults == []
    store.close()


def test_who_waits_for_a_database_that_hangs_is_told_so(
    cluster: Cluster, database: str, tmp_path: Path
) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry("before")])
        cluster.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(RefusedError, match="must answer within"):
                record(books, [entry("x")])
            with pytest.raises(RefusedError, match="must answer within"):
                asyncio.run(books.checkpoint(9))
            assert time.monotonic() - began < 10  # asked: 1 s each, on a machine that is not busy
            with pytest.raises(RefusedError, match="answered first"), books.flight("local", "x"):
                pass  # nobody knows yet whether it is recorded
        finally:
            cluster.thaw()
        until = time.monotonic() + 15
        while (books.trouble or books._unsure["local", "x"]) and time.monotonic() < until:
            time.sleep(0.05)
        record(books, [entry("again", key="x")])
    store = PostgresStore(database)
    assert len(store.find_keys("local", ["before", "x"])) == 2
    assert audit(store.reader).faults == []
    store.close()


def test_a_server_that_stops_while_it_holds_the_head_keeps_the_others_out_for_seconds(
    database: str, tmp_path: Path
) -> None:
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        frozen = PostgresStore(database)
        frozen.open()
        frozen.database.execute("BEGIN")
        frozen.database.execute(SELECT_HEAD)  # and goes on no more
        until, done = time.monotonic() + 30, False
        while not done and time.monotonic() < until:
            with suppress(RefusedError):
                record(books, [entry("other")])
                done = True
            time.sleep(0.1)
        assert done
        frozen.close()


@pytest.fixture
def roles(database: str, tmp_path: Path) -> str:
    """The URL of a database with quotes of two tenants, and the roles of deploy/."""
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry("a", tenant="bank-a"), entry("b", tenant="bank-b")])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((ROOT / "deploy/roles.sql").read_bytes())
    return database


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@")


def test_a_server_needs_no_more_than_its_role_has(roles: str, tmp_path: Path) -> None:
    with ledger(tmp_path, store=PostgresStore(as_role(roles, "seedrate"))) as books:
        record(books, [entry(str(at)) for at in range(300)])
        assert asyncio.run(books.find("bank-a", "a"))
        assert asyncio.run(books.find("bank-b", "a")) is None
        assert [again and again.quote_id for again in record(books, [entry("x", key="7")])] == ["7"]
        assert asyncio.run(books.checkpoint(304))


def test_a_select_without_where_finds_one_tenants_rows(roles: str) -> None:
    with psycopg.connect(as_role(roles, "seedrate")) as connection:
        for mine, id_ in (("", None), ("bank-a", "a"), ("bank-b", "b"), ("bank-c", None)):
            with connection.transaction():
                if mine:
                    connection.execute("SELECT set_config('seedrate.tenant', %s, true)", (mine,))
                seen = connection.execute("SELECT quote_id FROM entry WHERE kind = 'quote'")
                assert seen.fetchall() == ([(id_,)] if id_ else [])
                for table in ("entry", "private"):
                    query = f"SELECT DISTINCT tenant FROM {table} WHERE tenant <> '(ledger)'"
                    assert connection.execute(query).fetchall() == ([(mine,)] if id_ else [])
    with psycopg.connect(roles) as owner:  # else there would be nothing to see
        assert owner.execute("SELECT count(*) FROM private").fetchone() == (2,)


def test_nobody_but_the_owner_may_change_or_delete(roles: str) -> None:
    acts = [
        f"{act} {table}{rest}"
        for table, column in (("entry", "tenant"), ("private", "tenant"), ("tile", "root"))
        for act, rest in (
            ("UPDATE", f" SET {column} = {column}"),
            ("DELETE FROM", ""),
            ("TRUNCATE", ""),
        )
    ]
    for role in ("seedrate", "seedrate_auditor"):
        with psycopg.connect(as_role(roles, role), autocommit=True) as connection:
            for act in acts:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(act)


def test_an_auditor_reads_every_tenant_and_writes_nothing(roles: str, tmp_path: Path) -> None:
    store = PostgresStore(as_role(roles, "seedrate_auditor"))
    found = audit(store.reader)
    assert (found.faults, found.size) == ([], 3)
    store.close()
    with psycopg.connect(as_role(roles, "seedrate_auditor")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO checkpoint VALUES (9, 'x')")


def test_without_a_tenant_a_lookup_finds_nothing(roles: str) -> None:
    """The WHERE of the reader is not what keeps tenants apart: without the policy all are seen."""
    store = PostgresStore(as_role(roles, "seedrate"))
    assert [*store.reader.rows()] != []  # the log's own entry, the key
    assert {row.tenant for row in store.reader.rows()} == {"(ledger)"}
    store.close()
    made = engine(roles)
    with made.begin() as connection:
        migrate.downgrade(connection, "0001")
    with psycopg.connect(as_role(roles, "seedrate")) as connection:
        assert connection.execute("SELECT count(*) FROM private").fetchone() == (2,)
    with made.begin() as connection:
        migrate.upgrade(connection)
    with psycopg.connect(as_role(roles, "seedrate")) as connection:
        assert connection.execute("SELECT count(*) FROM private").fetchone() == (0,)
    made.dispose()


def test_what_is_erased_is_gone_from_the_table_and_the_proofs_stay(
    cluster: Cluster, database: str, tmp_path: Path
) -> None:
    canary = "CanaryBorrower" * 3
    with ledger(tmp_path, store=PostgresStore(database)) as books:
        record(books, [entry(str(at), reference=canary if at == 5 else "R") for at in range(9)])
        assert on_disk(cluster, canary)
        found = books.store.reader.subjects("local", canary)
        asyncio.run(erasure.erase(books, found, "as asked"))
        assert books.store.reader.subjects("local", canary) == []
        assert not on_disk(cluster, canary)
    store = PostgresStore(database)
    done = audit(store.reader)
    assert (done.faults, done.erased) == ([], 1)
    store.close()


def on_disk(cluster: Cluster, text: str) -> bool:
    """Say whether a table's file holds a text; the write-ahead log keeps it for longer."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    files = [path for path in (cluster.data / "base").rglob("*") if path.is_file()]
    return any(text.encode() in path.read_bytes() for path in files)


def test_the_password_is_never_said(tmp_path: Path) -> None:
    store = PostgresStore("postgresql://me:canary@127.0.0.1:1/none")
    books = opened(tmp_path, store=store, wait=0.5)
    assert "canary" not in books.trouble + store.name
    assert "127.0.0.1/none" in books.trouble
    books.close()


def test_the_tables_come_and_go_by_migrations(database: str) -> None:
    made = engine(database)
    with made.begin() as connection:
        migrate.upgrade(connection)
        assert migrate.version(connection) == migrate.NEWEST
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    with made.begin() as connection:
        migrate.downgrade(connection, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    with made.begin() as connection:
        migrate.upgrade(connection)
    made.dispose()


def test_tables_of_a_newer_program_are_left_alone(database: str) -> None:
    made = engine(database)
    with made.begin() as connection:
        migrate.upgrade(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(ValueError, match="must be of version"):
            migrate.upgrade(connection)
    made.dispose()
