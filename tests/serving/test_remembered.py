"""A model that served lately is not read again, and is let by no less than one that is new."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models import artifact, copies, keys, statement
from models.copies import Pointer
from models.hazard import HazardModel
from models.keys import SIGNING, SigningKey
from models.registry import CHALLENGER
from pricing.errors import ModelError
from serving.app import Server
from serving.champion import Source
from serving.remembered import MOST, Remembered
from serving.settings import Settings
from tests.serving import small_model
from tests.serving.shelf import one_bit, resealed
from tests.serving.small_model import said

OTHER = 10  # a seed whose trees may serve
ALTERED = "gone or altered"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model, in a folder named by its digest."""
    folder = tmp_path_factory.mktemp("other")
    return (folder / "made").rename(folder / small_model.make(folder / "made", seed=OTHER))


@pytest.fixture
def server(var: Path, other: Path, tmp_path: Path) -> Iterator[Server]:
    """A server with the copies of two models, of which it has read none."""
    shutil.copytree(var / "models", tmp_path / "models")
    shutil.copytree(var / "keys", tmp_path / "keys")
    shutil.copytree(other, tmp_path / "models" / other.name)
    settings = {"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"}
    made = Server.open(Settings.read(settings))
    yield made
    made.close()


def let(source: Source, digest: str, version: str, key: SigningKey | None = None) -> Pointer:
    """Return what lets a model serve, signed by the key that is trusted here or by another."""
    key = key or SigningKey.read(source.settings.trusted_keys.with_name(SIGNING))
    when = f"2026-01-02T0{version}:00:00+00:00"
    told = said(digest, alias=source.alias, version=version, turn=int(version), when=when)
    return Pointer(digest, told.model, version, statement.sign(told, key))


def test_a_rollback_reads_nothing_again(server: Server, other: Path) -> None:
    source = server.champion.source
    before, pointer = source.first()
    after = source.load(let(source, other.name, "2"))
    assert after.digest != before.digest
    again = source.load(replace(pointer, version="3"))
    assert again.tables is before.tables
    assert again.card == {**before.card, "version": "3"}  # as any model of that version
    assert source.load(let(source, other.name, "4")).tables is after.tables


def test_a_challenger_that_is_promoted_is_the_one_that_was_in_the_shadow(
    server: Server, other: Path
) -> None:
    shadow, champion = server.challenger.source, server.champion.source
    assert (shadow.alias, champion.alias) == (CHALLENGER, "champion")
    shadowed = shadow.load(let(shadow, other.name, "2"))
    assert champion.load(let(champion, other.name, "2")).tables is shadowed.tables


def test_a_copy_that_was_altered_after_it_was_read_is_refused(server: Server, other: Path) -> None:
    source, pointer = server.champion.source, let(server.champion.source, other.name, "2")
    server.remembered.keep(artifact.read(other))
    card = source.settings.models / other.name / "card.json"
    whole = card.read_bytes()
    card.write_bytes(whole[:-1] + b" ")
    assert not source.has(pointer)  # so that it is fetched again
    with pytest.raises(ModelError, match=ALTERED):
        source.load(pointer)
    card.write_bytes(whole)
    source.load(pointer)


def test_what_is_remembered_is_let_by_a_statement_as_anything_else(
    server: Server, other: Path
) -> None:
    source = server.champion.source
    pointer, eve = let(source, other.name, "5"), keys.create(server.settings.var / "eve", "eve")
    server.remembered.keep(artifact.read(other))
    source.keep(pointer)
    source.check(pointer)
    for wrong, why in (
        (replace(pointer, signed=""), "must be signed"),
        (let(source, other.name, "6", eve), "signed by a trusted key"),
        (let(server.challenger.source, other.name, "6"), "the signed alias must be champion"),
        (let(source, other.name, "4"), "signed after the one that serves here"),
    ):
        with pytest.raises(ModelError, match=why):
            source.check(wrong)
    server.settings.trusted_keys.write_text("# nobody\n")
    with pytest.raises(ModelError, match=r"signed by a trusted key \(none\)"):
        source.check(pointer)


def test_a_model_that_fails_its_golden_vectors_is_not_remembered(
    server: Server, other: Path, tmp_path: Path
) -> None:
    """It is what served here last, so that no other process tries it first."""
    bad = resealed(other, tmp_path / "bad", one_bit)
    digest = artifact.verify(bad)
    shutil.copytree(bad, server.settings.models / digest)
    source = server.champion.source
    pointer = let(source, digest, "2")
    source.keep(pointer)
    for _ in range(2):
        with pytest.raises(ModelError, match="golden vector 0"):
            source.load(pointer)
    assert server.remembered.find(digest) is None


def test_no_more_are_remembered_than_serve_and_may_serve_again(other: Path) -> None:
    """The one asked for last stays, whichever was read first; the others' memory is let go."""
    remembered, read = Remembered(), artifact.read(other)
    several = [replace(read, digest=str(number)) for number in range(MOST + 1)]
    gone = weakref.ref(several[1])
    gc.disable()  # none stands in a circle: who forgets the last name of it lets it go
    try:
        for model in several[:MOST]:
            remembered.keep(model)
        assert remembered.find("0") is several[0]
        remembered.keep(several[MOST])
        found: list[HazardModel | None] = [remembered.find(one.digest) for one in several]
        assert found == [several[0], None, *several[2:]]
        del several, found, model
        assert gone() is None
    finally:
        gc.enable()


def test_old_copies_are_not_kept_for_what_is_remembered(server: Server, other: Path) -> None:
    source = server.champion.source
    server.remembered.keep(artifact.read(other))
    source.load(let(source, other.name, "2"))
    assert copies.tidy(server.settings.models, 0) == [other.name]
    with pytest.raises(ModelError, match=ALTERED):
        source.load(let(source, other.name, "3"))


def test_documents_are_made_anew_where_the_columns_are_others(server: Server, other: Path) -> None:
    model, again = server.champion.source.first()[0], artifact.read(other)
    assert again.column_set == model.column_set
    assert again.column_set is not model.column_set
    server.serve(model)
    first = server.office.served
    server.serve(again)
    same = server.office.served
    assert (same.columns, same.openapi) == (first.columns, first.openapi)
    assert same.model != first.model
    title = "of another title"
    server.serve(replace(again, column_set=replace(again.column_set, title=title)))
    assert title in server.office.served.columns.decode()
    assert server.office.served.openapi != first.openapi
