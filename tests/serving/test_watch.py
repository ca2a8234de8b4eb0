"""Another champion takes its place while callers are served; one that is unfit never does."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from models import alias, artifact, copies, registry
from models.copies import Hold, Pointer
from pricing.errors import InputError
from serving import watch
from serving.access.caller import LOCAL
from serving.app import Server, clock
from serving.client import Client
from serving.settings import Settings
from serving.watch import Watch
from tests.serving import bad_candidates, known_key, shelf, small_model
from tests.serving.conftest import ROOT, running
from tests.serving.shelf import Near, Shelf
from tests.serving.test_service import call

pytestmark = pytest.mark.filterwarnings("ignore:.*noload:DeprecationWarning")

GOOD = json.loads((ROOT / "examples" / "good.json").read_text("utf-8"))
OTHER = 10  # a seed whose trees may serve
OWN = ("quote_id", "time", "recorded")  # of one quote, whichever model made it


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that price differently."""
    folder = tmp_path_factory.mktemp("models")
    for seed in (7, OTHER):
        small_model.make(folder / str(seed), seed=seed)
    return [folder / "7", folder / str(OTHER)]


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, made: list[Path]) -> Shelf:
    return shelf.filled(tmp_path_factory.mktemp("first"), made)


@pytest.fixture
def books(tmp_path: Path, first: Shelf) -> Shelf:
    """A registry with two versions, the first of which is champion and serves here."""
    return shelf.again(first, tmp_path / "var")


def settings(books: Shelf, **more: str) -> Settings:
    return Settings.read(
        {
            "SEEDRATE_VAR": str(books.database.parent),
            "SEEDRATE_TRACKING_URI": books.uri,
            "SEEDRATE_AUDIT_SHARE": "0",
            **more,
        }
    )


@contextmanager
def opened(
    books: Shelf, *, read: Sequence[Path] = (), seconds: float = 60.0, **more: str
) -> Iterator[Server]:
    """A server that serves the champion, remembers what it has read, and polls when told so."""
    made = Server.open(settings(books, **more))
    for model in read:
        made.remembered.keep(artifact.read(model))
    source = Near(made.settings, made.settings.alias, remembered=made.remembered)
    made.__dict__["champion"] = Watch(source, made.serve, seconds=seconds, now=clock)
    assert made.ledger.wait_open(10)
    made.champion.first()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def server(books: Shelf, made: list[Path]) -> Iterator[Server]:
    """A server that has read the sound models already."""
    with opened(books, read=made) as server:
        yield server


def priced(server: Server, body: Any = GOOD) -> dict[str, Any]:
    """Return what the model that serves says, but for what is one quote's own."""
    return apart(server.office.served.desk.what_if(body, LOCAL).body)


def apart(body: bytes) -> dict[str, Any]:
    return {name: value for name, value in orjson.loads(body).items() if name not in OWN}


def test_a_promotion_and_a_rollback_are_followed_under_load_and_no_reply_is_of_two_models(
    books: Shelf,
) -> None:
    with opened(books) as server:
        _followed_under_load(server, books)


def _followed_under_load(server: Server, books: Shelf) -> None:
    expected = {"1": priced(server)}
    seen: list[dict[str, Any]] = []

    async def loaded(act: Callable[[], None], until: str) -> None:
        swap = asyncio.ensure_future(asyncio.to_thread(act))
        while not swap.done() or not seen[-1:] or seen[-1]["model"]["version"] != until:
            desk = server.office.served.desk
            replies = [desk.quote(GOOD, LOCAL, uuid4().hex) for _ in range(4)]
            seen.extend(apart(reply.body) for reply in await asyncio.gather(*replies))
        await swap

    for number in ("2", "1"):
        books.promote(number)
        asyncio.run(loaded(server.champion.poll, number))
        expected.setdefault(number, priced(server))
    assert expected["1"]["spread_bps"] != expected["2"]["spread_bps"]
    assert all(reply == expected[reply["model"]["version"]] for reply in seen)
    assert {reply["model"]["version"] for reply in seen} == {"1", "2"}
    assert server.champion.standing.swaps == 2
    assert server.champion.standing.registry == watch.OK
    assert server.champion.standing.named == "1"
    kept = Pointer.read(server.settings.models)
    assert kept is not None
    assert kept.version == "1"


def test_a_request_under_way_ends_with_the_model_it_began_with_which_is_then_let_go(
    server: Server, books: Shelf
) -> None:
    begun, before = server.office.served, priced(server)
    books.promote("2")
    server.champion.poll()
    assert apart(begun.desk.what_if(GOOD, LOCAL).body) == before
    assert priced(server)["model"]["version"] == "2"
    held = weakref.ref(begun)
    gc.disable()  # it stands in no circle: the last who holds it lets it go
    try:
        del begun
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("bad", bad_candidates.ALL)
def test_a_bad_candidate_never_serves_and_is_told_of_once(
    server: Server,
    books: Shelf,
    made: list[Path],
    tmp_path: Path,
    bad: bad_candidates.Bad,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = priced(server)
    reason = bad(books, made, tmp_path / "bad")
    for _ in range(3):
        server.champion.poll()
    standing = server.champion.standing
    assert (standing.version, standing.swaps, standing.refusals) == ("1", 0, 1)
    assert standing.named != standing.version  # what the alias names is told all the same
    assert standing.refused is not None
    assert standing.stands
    assert re.search(reason, standing.refused.reason)
    assert priced(server) == before
    assert caplog.text.count("ALARM") == 1
    kept = Pointer.read(server.settings.models)
    assert kept is not None
    assert kept.version == "1"
    books.promote("1")
    server.champion.poll()
    assert not server.champion.standing.stands


def test_a_candidate_is_tried_again_when_its_key_is_trusted(
    server: Server, books: Shelf, tmp_path: Path
) -> None:
    eve = shelf.stranger(books, tmp_path / "eve")
    eve.promote("2")
    server.champion.poll()
    assert server.champion.standing.refusals == 1
    trusted = server.settings.trusted_keys
    trusted.write_text(f"{trusted.read_text()}{eve.key.line}\n")
    server.champion.poll()
    assert server.champion.standing.version == "2"


def test_files_that_cannot_be_had_are_asked_for_ever_more_seldom(
    books: Shelf, made: list[Path], tmp_path: Path
) -> None:
    with opened(books, read=made, seconds=0.05) as server:
        books.promote(bad_candidates.broken(books, made, tmp_path))
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            server.champion.poll()
        assert 2 <= server.champion.standing.refusals <= 5  # after 0.05, 0.15, 0.35 and 0.75 s
        sound = (made[1] / "card.json").read_text("utf-8")
        (books.store / "broken" / "data" / "model" / "card.json").write_text(sound)
        until = time.monotonic() + 20.0
        while server.champion.standing.version == "1" and time.monotonic() < until:
            server.champion.poll()
        assert server.champion.standing.version == "3"


def test_without_a_registry_the_last_champion_goes_on_and_starts_again(
    server: Server, books: Shelf
) -> None:
    before, gone = priced(server), books.database.with_name("gone")
    books.database.rename(gone)
    server.champion.poll()
    standing = server.champion.standing
    assert (standing.registry, standing.version) == (watch.STALE, "1")
    assert standing.asked is not None
    assert standing.asked <= standing.since  # asked, and then known not to answer
    assert priced(server) == before
    assert not books.database.exists()  # a look makes no database
    server.close()
    with opened(books) as later:
        later.champion.poll()
        assert priced(later) == before
        assert later.champion.standing.registry == watch.STALE
        gone.rename(books.database)
        later.champion.poll()
        assert later.champion.standing.registry == watch.OK


def test_a_swap_lets_go_of_old_copies_and_of_none_that_somebody_holds(
    server: Server, books: Shelf, made: list[Path]
) -> None:
    models, served = server.settings.models, {artifact.verify(model) for model in made}
    other = Hold()  # of another process, which still serves the model of zeros
    for folder in (models / (64 * digit) for digit in "10"):
        folder.mkdir()
        other.move(folder)
        os.utime(folder, (1e9, 1e9))
    source, few = server.champion.source, replace(server.settings, models_kept=2)
    server.champion.source = replace(source, settings=few)
    books.promote("2")
    server.champion.poll()
    assert {one.name for one in copies.kept(models)} == {*served, 64 * "0"}
    other.close()
    assert copies.tidy(models, 2) == [64 * "0"]


def test_a_champion_that_is_bad_at_start_leaves_the_last_one_its_place(
    books: Shelf, made: list[Path], tmp_path: Path
) -> None:
    bad_candidates.that_crashes(books, made, tmp_path / "bad")
    with opened(books) as server:
        assert priced(server)["model"]["version"] == "1"
        kept = Pointer.read(server.settings.models)
    assert kept is not None
    assert kept.version == "1"


def test_metrics_and_the_address_of_the_registry_tell_what_is_refused(
    server: Server, books: Shelf, made: list[Path], tmp_path: Path
) -> None:
    bad_candidates.unsigned(books, made, tmp_path)
    server.load()
    until = time.monotonic() + 10.0
    while not server.champion.standing.stands and time.monotonic() < until:
        time.sleep(0.01)
    text = server.gauges.text().decode()
    assert 'seedrate_registry_state{alias="champion",state="ok"} 1.0' in text
    assert 'seedrate_candidates_refused_total{alias="champion"} 1.0' in text
    assert 'seedrate_candidate_refused{alias="champion"} 1.0' in text
    assert 'seedrate_swaps_total{alias="champion"} 0.0' in text
    told = orjson.loads(orjson.dumps(server.office.standing()))["champion"]
    assert "must be signed" in told["refused"]["reason"]
    public = orjson.loads(orjson.dumps(server.office.said()))
    assert (public["registry"], public["refused"]) == ("ok", "2")
    assert "reason" not in str(public)


def test_a_real_server_follows_its_registry_and_fails_nobody(books: Shelf, tmp_path: Path) -> None:
    known_key.write(books.database.parent)
    environ = {
        "SEEDRATE_VAR": str(books.database.parent),
        "SEEDRATE_TRACKING_URI": books.uri,
        "SEEDRATE_POLL_SECONDS": "0.2",
        "SEEDRATE_AUDIT_SHARE": "0",
        "SEEDRATE_PULL_SECONDS": "300",
    }
    command = [sys.executable, "-m", "serving", "start"]
    with running(command, environ, ROOT, tmp_path / "log") as url:
        ended = threading.Event()
        assert Client(url).wait_ready(30) == ""

        def asks() -> list[tuple[int, dict[str, Any]]]:
            replies = []
            while not ended.is_set():
                status, _, body = call(f"{url}/v1/quotes", orjson.dumps(GOOD))
                replies.append((status, apart(body)))
                time.sleep(0.02)
            return replies

        with ThreadPoolExecutor(2) as callers:
            asking = [callers.submit(asks) for _ in range(2)]
            try:
                books.promote("2")
                _until(url, "version", "2")
                books.promote("1")
                _until(url, "version", "1")
                books.database.rename(books.database.with_name("gone"))
                _until(url, "registry", "stale")
            finally:
                ended.set()
        replies = [reply for one in asking for reply in one.result()]
    assert {status for status, _ in replies} == {201}
    by_version: dict[str, list[dict[str, Any]]] = {}
    for _, reply in replies:
        by_version.setdefault(reply["model"]["version"], []).append(reply)
    assert set(by_version) == {"1", "2"}
    for same in by_version.values():
        assert all(reply == same[0] for reply in same)


def test_a_database_says_the_same_as_mlflows_own_client(first: Shelf) -> None:
    with registry.client(first.uri) as client:
        for name in ("champion", "challenger"):
            told = registry.version(client, "seedrate", name)
            found = alias.named(first.uri, "seedrate", name, {})
            assert (found and (found.number, found.tags)) == (told and (told.number, told.tags))


def test_a_registry_of_another_kind_is_not_asked_often() -> None:
    source = Near(Settings.read({"SEEDRATE_TRACKING_URI": "databricks"}), "champion")
    assert not source.can_ask


def _until(url: str, field: str, value: str) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        _, _, body = call(f"{url}/readyz")
        if orjson.loads(body).get(field) == value:
            return
        time.sleep(0.1)
    raise AssertionError(f"{field} must become {value}, however: {body!r}")


def test_nobody_is_asked_where_nothing_is_set(tmp_path: Path) -> None:
    read = Settings.read({"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"})
    assert Near(read, "champion").named() is None
    with pytest.raises(InputError):
        Near(read, "champion").trusted()
