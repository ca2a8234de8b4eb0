"""A real MLflow registry on a database file, with small models in it and a key that signs them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models import artifact, golden, keys, registry, statement
from models.copies import Pointer
from models.keys import SigningKey
from serving.champion import Source
from tests.serving.small_model import said

NAME, CHAMPION = "seedrate", "champion"
HOUR = "2026-01-02T{:02}:00:00+00:00"


@dataclass
class Shelf:
    """Versions of one registered model, whose signed statements follow one another.

    Attributes:
        database: MLflow's.
        store: of the versions' files.
        key: signs.
        turns: how many statements it has signed.
    """

    database: Path
    store: Path
    key: SigningKey
    turns: int = 0

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    def add(self, model: Path) -> str:
        """Register the files of a model; return the number of the version."""
        source = self.store / model.name
        shutil.copytree(model, source / "data" / registry.FOLDER)
        with registry.client(self.uri) as client:
            tags = {"digest": artifact.verify(model)}
            return str(client.create_model_version(NAME, str(source), tags=tags).version)

    def promote(self, number: str, alias: str = CHAMPION) -> None:
        """Sign a version and let the alias name it, as a promotion or a rollback does."""
        self.turns += 1
        with registry.client(self.uri) as client:
            digest = client.get_model_version(NAME, number).tags["digest"]
        when = HOUR.format(self.turns)
        told = said(digest, alias=alias, version=number, turn=self.turns, when=when)
        self.point(number, statement.sign(told, self.key), alias)

    def point(self, number: str, signed: str, alias: str = CHAMPION) -> None:
        """Let the alias name a version with any statement."""
        with registry.client(self.uri) as client:
            client.set_model_version_tag(NAME, number, registry.signed_tag(alias), signed)
            client.set_registered_model_alias(NAME, alias, number)


def filled(var: Path, models: Sequence[Path]) -> Shelf:
    """Return a registry beside a server's folder: versions 1, 2 ..., the first is champion here."""
    shelf = Shelf(var / "mlflow.db", var / "store", keys.create(var / "keys", "a test"))
    with registry.client(shelf.uri) as client:
        client.create_registered_model(NAME)
    for model in models:
        shelf.add(model)
    shelf.promote("1")
    registry.pull(NAME, CHAMPION, shelf.uri, var / "models", trusted(var)).write(var / "models")
    return shelf


def again(shelf: Shelf, var: Path) -> Shelf:
    """Return a copy of a registry and of its server's folder; the versions' files are shared."""
    shutil.copytree(shelf.database.parent, var, ignore=shutil.ignore_patterns("store"))
    return replace(shelf, database=var / "mlflow.db", store=var / "store")


def trusted(var: Path) -> keys.Trusted:
    return keys.trusted(var / "keys" / keys.TRUSTED)


@dataclass(frozen=True)
class Near(Source):
    """A source that fetches in the process of the test, where MLflow is imported already."""

    def fetch(self) -> Pointer:
        settings = self.settings
        into, trusted = settings.models, self.trusted()
        return registry.pull(NAME, self.alias, str(settings.tracking_uri), into, trusted)


def resealed(model: Path, into: Path, change: Callable[[Path], None]) -> Path:
    """Return a copy of a model that was changed and sealed again: its digest is sound."""
    shutil.copytree(model, into)
    change(into)
    artifact.seal(into)
    return into


def cut(folder: Path) -> None:
    """Leave away the last third of a booster's text, as a broken download does."""
    text = (folder / "default-0.txt").read_text("utf-8")
    (folder / "default-0.txt").write_text(text[: 2 * len(text) // 3], encoding="utf-8")


def wide(folder: Path) -> None:
    """Give the background columns that the model does not have: who reads on dies of it."""
    np.save(folder / "background.npy", np.zeros((1, 60_000)), allow_pickle=False)
    np.save(folder / "background_weight.npy", np.ones(1), allow_pickle=False)


def one_bit(folder: Path) -> None:
    """Move one golden price to the next number that there is."""
    document = json.loads((folder / golden.FILE).read_text("utf-8"))
    price = document["vectors"][0]["price"]
    price["spread_bps"] = math.nextafter(price["spread_bps"], math.inf)
    (folder / golden.FILE).write_text(json.dumps(document), encoding="utf-8")


def stranger(shelf: Shelf, folder: Path) -> Shelf:
    """Return the same shelf in the hands of somebody whom no server trusts."""
    return replace(shelf, key=keys.create(folder, "eve"))
