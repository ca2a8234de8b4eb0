"""What is known here of each version of the model: its copy, its figures, and who let it serve.

The log says what has served and by whose decision, the pointer what serves after a restart, and the
folders of verified copies hold card and pack. No registry is asked: it may be down, and is no root
of trust.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from models import copies, keys, statement
from models.copies import Pointer
from models.statement import Statement
from pricing.errors import SeedrateError
from serving.ledger.reading import Reader
from serving.ledger.seals import AUDIT
from serving.ledger.served import SERVED
from serving.settings import Settings

PACK = "validation.json"
MOST = 32  # models whose card and pack are kept in memory
FIGURE = re.compile(r"(\w+)_(\d+)m")
SHOWN = ("auc", "observed_over_expected", "calibration_slope", "log_loss", "brier")


@dataclass(frozen=True)
class Term:
    """From when a model served, as the log says it."""

    time_us: int
    version: str
    digest: str
    decision: Mapping[str, Any] | None
    signer: str
    until_us: int | None = None  # None: it serves, or served when the log ended


@dataclass(frozen=True)
class Decided:
    """The signed statement behind what serves, or why there is none that holds."""

    statement: Statement | None
    key: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Dossier:
    """A model's own papers, out of its verified copy."""

    digest: str
    card: Mapping[str, Any]
    pack: Mapping[str, Any] | None
    raw: bytes = field(default=b"", repr=False)  # the pack, byte for byte

    @property
    def sections(self) -> list[tuple[str, str, str]]:
        """Return name, light and verdict of each section of the pack."""
        return [
            (name, str(one.get("light", "grey")), str(one.get("verdict", "")))
            for name, one in (self.pack or {}).items()
            if isinstance(one, dict)
        ]

    @cached_property
    def horizons(self) -> list[int]:
        """Return the months at which figures were measured."""
        found = (FIGURE.fullmatch(name) for name in self.card.get("metrics", {}))
        return sorted({int(one[2]) for one in found if one and one[1] in SHOWN})

    @property
    def figures(self) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
        """Return each figure out of time, a value for every horizon."""
        told = self.card.get("metrics", {})
        rows = [(name, [told.get(f"{name}_{m}m") for m in self.horizons]) for name in SHOWN]
        return [(name, values) for name, values in rows if any(values)]

    @property
    def gains(self) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
        """Return how much better than the linear benchmark AUC and log loss are."""
        told = self.card.get("gains") or {}
        rows = [(name, [told.get(f"{name}_{m}m") for m in self.horizons]) for name in SHOWN]
        return [(name, values) for name, values in rows if any(values)]

    @property
    def vintages(self) -> list[Mapping[str, Any]]:
        """Return observed over expected of each rolling origin."""
        return [*((self.card.get("interval") or {}).get("origins") or [])]

    @property
    def tenths(self) -> Mapping[str, Any] | None:
        """Return foretold and observed shares of defaults by tenth of the score."""
        told = ((self.pack or {}).get("calibration") or {}).get("tenths")
        return told if isinstance(told, dict) and told.get("expected") else None


class Archive:
    """Reads papers once; a digest names the same bytes for ever."""

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet."""
        self._settings = settings
        self._read: OrderedDict[str, Dossier] = OrderedDict()
        self._served: dict[str, Mapping[str, Any]] = {}  # by the id of the entry
        self._size = 0  # of the log, as far as it was read

    def dossier(self, digest: str) -> Dossier | None:
        """Return the papers of a model; None if its copy is gone or altered."""
        if digest not in self._read:
            folder = copies.find(self._settings.models, digest)
            if folder is None:
                return None
            self._read[digest] = _dossier(digest, folder)
            while len(self._read) > MOST:
                self._read.popitem(last=False)
        return self._read[digest]

    def kept(self) -> list[str]:
        """Return the digests of all copies here, those that arrived or served last first."""
        return [folder.name for folder in copies.kept(self._settings.models)]

    def history(self, reader: Reader) -> list[Term]:
        """Return which models served from when on, the newest first; what was read stays read."""
        size = reader.head().size
        for body in reader.others(AUDIT, self._size):
            told = orjson.loads(body)
            if told.get("event") == SERVED:
                self._served[told["id"]] = told
        self._size = size
        return history([*self._served.values()])

    def pointer(self) -> Pointer | None:
        """Return what would serve after a restart without a registry."""
        return Pointer.read(self._settings.models, self._settings.alias)

    def decided(self, pointer: Pointer) -> Decided:
        """Return the statement of a pointer, verified now by the keys that are trusted now."""
        settings = self._settings
        try:
            told = statement.demand(
                pointer.signed,
                keys.trusted(settings.trusted_keys),
                model=settings.model,
                alias=settings.alias,
                digest=pointer.digest,
            )
        except SeedrateError as error:
            return Decided(None, fault=str(error))
        return Decided(told, str(orjson.loads(pointer.signed)["key"]))


def history(told: Sequence[Mapping[str, Any]]) -> list[Term]:
    """Return which models served from when on, the newest first.

    Args:
        told: what the log says of it, in order.
    """
    found: list[Term] = []
    until: int | None = None
    for one in reversed(told):
        term = Term(
            one["time_us"],
            str(one["version"]),
            str(one["digest"]),
            one.get("decision"),
            str(one.get("signer", "")),
            until,
        )
        found.append(term)
        until = term.time_us
    return found


def newest(terms: Sequence[Term], digest: str) -> Term | None:
    """Return when a model began to serve last."""
    return next((one for one in terms if one.digest == digest), None)


def _dossier(digest: str, folder: Path) -> Dossier:
    card = orjson.loads((folder / "card.json").read_bytes())
    path = folder / PACK
    if not path.is_file():
        return Dossier(digest, card, None)
    raw = path.read_bytes()
    return Dossier(digest, card, orjson.loads(raw), raw)
