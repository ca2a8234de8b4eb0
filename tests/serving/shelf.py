"""A real MLflow registry on a database file, with small models in it and a key that signs them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

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
        folder: of the database and of the versions' files.
        key: signs.
    """

    folder: Path
    key: SigningKey
    turns: int = 0
    numbers: list[str] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    def add(self, model: Path, *, digest: str | None = None) -> str:
        """Register the files of a model; return the number of the version."""
        number = str(len(self.numbers) + 1)
        shutil.copytree(model, self.files(number))
        sealed = digest or artifact.verify(model)
        with registry.client(self.uri) as client:
            source = str(self.files(number).parent.parent)
            made = client.create_model_version(NAME, source, tags={"digest": sealed})
        assert str(made.version) == number
        self.numbers.append(number)
        return number

    def files(self, number: str) -> Path:
        return self.folder / f"version-{number}" / "data" / registry.FOLDER

    def promote(self, number: str, alias: str = CHAMPION) -> None:
        """Sign a version and let the alias name it, as a promotion or a rollback does."""
        self.turns += 1
        with registry.client(self.uri) as client:
            digest = client.get_model_version(NAME, number).tags["digest"]
        told = said(
            digest,
            alias=alias,
            version=number,
            turn=self.turns,
            when=HOUR.format(self.turns),
        )
        self.point(number, statement.sign(told, self.key), alias)

    def point(self, number: str, signed: str, alias: str = CHAMPION) -> None:
        """Let the alias name a version with any statement."""
        with registry.client(self.uri) as client:
            client.set_model_version_tag(NAME, number, registry.signed_tag(alias), signed)
            client.set_registered_model_alias(NAME, alias, number)


def opened(var: Path, template: Path) -> Shelf:
    """Return a shelf beside a server's folder, from the database of an empty one."""
    folder = var / "registry"
    folder.mkdir(parents=True)
    shutil.copy(template, folder / "mlflow.db")
    key = keys.create(var / "keys", "a test")
    return Shelf(folder, key)


def empty(folder: Path) -> Path:
    """Return the database of a registry that knows the name of the model alone."""
    with registry.client(f"sqlite:///{folder / 'empty.db'}") as client:
        client.create_registered_model(NAME)
    return folder / "empty.db"


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


def one_bit(folder: Path) -> None:
    """Move one golden price to the next number that there is."""
    document = json.loads((folder / golden.FILE).read_text("utf-8"))
    price = document["vectors"][0]["price"]
    price["spread_bps"] = math.nextafter(price["spread_bps"], math.inf)
    (folder / golden.FILE).write_text(json.dumps(document), encoding="utf-8")


def stranger(shelf: Shelf, folder: Path) -> Shelf:
    """Return the same shelf in the hands of somebody whom no server trusts."""
    return replace(shelf, key=keys.create(folder, "eve"))
