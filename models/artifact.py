"""A model on disk: data and a manifest of digests, verified before a byte is parsed.

    card.json              what is known of the fit
    columns.toml           the column set
    encoder.json           the level tables of categories
    numbers.json           baselines of each cause, overlay
    default-0.txt ...      LightGBM's own text, one a member; likewise exit-*.txt and lgd-*.txt
    network.safetensors    the nodes of the additive network, where the model has one
    tabm.safetensors       the weights of the TabM, likewise
    background.npy         (rows, columns) whom a price is compared with; background_weight.npy
    manifest.json          {"files": {name: SHA-256}}; its own SHA-256 is the model's digest

Compiled loops trust what they are given (arrays that do not fit together end the process), so that
nothing here is opened before its digest is checked. There is no pickle and no code in a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from features.column import ColumnSet
from features.encode import Encoder
from features.sets import parse, to_toml
from models.additive import Additive, Network
from models.hazard import CAUSES, HazardModel
from models.interval import Drift
from models.leaves import Bag, Floats, boxes
from models.members import Members
from models.peers import Peers
from models.tables import Tables
from models.tabm import Compared, Tabm, references
from pricing.errors import ModelError

MANIFEST = "manifest.json"
NETWORK = "network.safetensors"
TABM = "tabm.safetensors"


def write(
    folder: Path,
    *,
    card: Mapping[str, Any],
    column_set: ColumnSet,
    encoder: Encoder,
    bags: Mapping[str, Bag],
    constants: Mapping[str, float],
    network: Network | Tabm | None = None,
    overlay: Floats,
    background: Floats,
    background_weight: Floats,
) -> str:
    """Write a model into an empty folder and return its digest.

    Args:
        folder: made if absent.
        card: JSON-ready; must have "name".
        column_set: embedded, so that the model needs no file beside it.
        encoder: fitted.
        bags: by cause; "default" is required where there is no network.
        constants: the margin of each cause that has no bag: for "exit" there may be none (never),
            for "lgd" a logit.
        network: of default; what it says is added to the share of the bag of default.
        overlay: (3, K).
        background: (rows, columns) encoded.
        background_weight: (rows,), >= 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "columns.toml").write_text(to_toml(column_set), encoding="utf-8")
    (folder / "encoder.json").write_text(encoder.to_json(), encoding="utf-8")
    for cause, bag in bags.items():
        for member, text in enumerate(bag.boosters):
            (folder / f"{cause}-{member}.txt").write_text(text, encoding="utf-8")
    if network is not None:
        network.write(folder / (TABM if isinstance(network, Tabm) else NETWORK))
    numbers = {
        "baselines": {cause: bag.baseline.tolist() for cause, bag in bags.items()},
        "members": {cause: len(bag.boosters) for cause, bag in bags.items()},
        "shares": {cause: bag.share for cause, bag in bags.items()},
        "constants": dict(constants),
        "overlay": overlay.tolist(),
    }
    _write_json(folder / "numbers.json", numbers)
    _write_json(folder / "card.json", card)
    np.save(folder / "background.npy", background, allow_pickle=False)
    np.save(folder / "background_weight.npy", background_weight, allow_pickle=False)
    return seal(folder)


def seal(folder: Path) -> str:
    """Write the manifest of all files in the folder and return its digest."""
    files = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
    _write_json(folder / MANIFEST, {"files": {name: _sha256(folder / name) for name in files}})
    return _sha256(folder / MANIFEST)


def verify(folder: Path, digest: str | None = None) -> str:
    """Check every file against the manifest, and the manifest against `digest` if given.

    Returns:
        The digest of the manifest.

    Raises:
        ModelError: a file is missing, altered or not listed; the message names it.
    """
    if not (folder / MANIFEST).is_file():
        raise ModelError(f"a model folder must hold {MANIFEST}, however: {folder}")
    found = _sha256(folder / MANIFEST)
    if digest is not None and found != digest:
        raise ModelError(f"the manifest's SHA-256 must be {digest}, however: {found}")
    listed = _listed(folder / MANIFEST)
    present = {f"{path.name}{'/' * path.is_dir()}" for path in folder.iterdir()} - {MANIFEST}
    if present != set(listed):
        odd = ", ".join(sorted(present ^ set(listed)))
        raise ModelError(f"files and manifest must agree, however these do not: {odd}")
    for name, expected in listed.items():
        given = _sha256(folder / name)
        if given != expected:
            raise ModelError(f"{name} must have SHA-256 {expected}, however: {given}")
    return found


def read(folder: Path, digest: str | None = None) -> HazardModel:
    """Verify a model folder and load it; takes a second or two (the Shapley tables are built).

    Raises:
        ModelError: the folder does not hold what its manifest says, or is not fit to serve.
    """
    found = verify(folder, digest)
    column_set = parse((folder / "columns.toml").read_text(encoding="utf-8"), "columns.toml")
    numbers = _read_json(folder / "numbers.json")
    background = np.load(folder / "background.npy", allow_pickle=False)
    weight = np.load(folder / "background_weight.npy", allow_pickle=False)
    bags = [_bag(folder, numbers, cause) for cause in CAUSES]
    network = _network(folder, column_set, background, weight)
    constants = numbers["constants"] | ({"default": 0.0} if network else {})
    laid = boxes(
        bags,
        columns=len(column_set.columns),
        buckets=len(column_set.age_edges_months) - 1,
        absent=[constants.get(cause, -np.inf) for cause in CAUSES],
    )
    card, beside = _read_json(folder / "card.json"), (background, weight)
    if isinstance(network, Compared):  # the trees of exits and losses are compared with the same
        beside = network.references, np.ones(len(network.references))
    tables = Tables.build(laid, *beside, np.array(column_set.group_of))
    return HazardModel(
        card=card,
        column_set=column_set,
        encoder=Encoder.from_json((folder / "encoder.json").read_text("utf-8"), column_set),
        overlay=np.array(numbers["overlay"], np.float64),
        tables=tables,
        members=Members.of(tables, bags[0]),
        drift=Drift.of(card),
        peers=Peers.of(background, weight),
        digest=found,
        network=network,
    )


def _network(
    folder: Path, column_set: ColumnSet, background: Floats, weight: Floats
) -> Additive | Compared | None:
    """Return what speaks of default beside the trees, or in their place, if anything does."""
    if (folder / NETWORK).is_file():
        return Additive.build(Network.read(folder / NETWORK), background, weight)
    if (folder / TABM).is_file():
        tabm, players = Tabm.read(folder / TABM), len(column_set.groups_told)
        return Compared.build(tabm, references(tabm, background, weight, players))
    return None


def _listed(manifest: Path) -> dict[str, str]:
    """Return the names and digests that a manifest lists."""
    try:
        return dict(_read_json(manifest)["files"])
    except (ValueError, KeyError, TypeError) as error:
        said = f'{MANIFEST} must be {{"files": {{name: SHA-256}}}}'
        raise ModelError(f"{said}, however: {error!r}") from error


def _bag(folder: Path, numbers: Mapping[str, Any], cause: str) -> Bag | None:
    if cause not in numbers["members"]:
        return None
    texts = (
        (folder / f"{cause}-{member}.txt").read_text("utf-8")
        for member in range(numbers["members"][cause])
    )
    baseline = np.array(numbers["baselines"][cause], np.float64)
    return Bag(tuple(texts), baseline, numbers["shares"][cause])


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
