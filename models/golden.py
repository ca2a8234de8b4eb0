"""Golden vectors: projects with their exact prices and explanations, kept in the model's folder.

A digest proves that the files are the ones that were signed off; the golden vectors prove that
this code, on this machine, still reads the same prices out of them. They carry their own policy,
so that a new policy changes nothing here. The same code on the same kind of machine owes the same
bits; another one, the same figures within what an explanation promises.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding

from models import artifact
from models.explain import attribute
from models.hazard import HazardModel
from pricing import policy as policies
from pricing.errors import ModelError
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms

FILE = "golden.json"
VECTORS = 20
TOLERANCE_BPS = 1e-6  # what an explanation promises; a probability's is 1e-10

ROOT = Path(__file__).parent.parent
CODE = ("pricing", "features", "models")  # what the figures pass through

Project = Mapping[str, object]


def add(
    folder: Path, model: HazardModel, asked: Sequence[tuple[Project, Terms]], policy: bytes
) -> str:
    """Price the projects, keep the prices in the model's folder, return its new digest.

    Args:
        folder: of a model that has been written.
        model: as read from it.
        asked: projects with the terms of their loans.
        policy: the text of the policy's TOML file.
    """
    rules = policies.parse(policy)
    vectors = [
        {
            "project": dict(project),
            "terms": asdict(terms),
            "price": price(model, rules, project, terms),
        }
        for project, terms in asked
    ]
    document = {
        "arithmetic": arithmetic(),
        "policy": policy.decode("utf-8"),
        "vectors": vectors,
    }
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
    return artifact.seal(folder)


def price(model: HazardModel, policy: Policy, project: Project, terms: Terms) -> dict[str, Any]:
    """Return the unrounded price of a project and its parts."""
    reading = model.read(model.encoder.row(project, terms))
    loan = TermLoan(terms).priced(policy, model.edges)
    quoted, parts = loan.price(reading.margins + model.overlay), attribute(model, reading, loan)
    return {
        "spread_bps": quoted.figure_bps,
        "rate_bps": 1e4 * quoted.rate,
        "pd": dict(quoted.pd),
        "lgd": quoted.lgd,
        "base_bps": parts.base_bps,
        "macro_bps": parts.macro_bps,
        "columns_bps": dict(zip(model.column_set.names, parts.columns_bps.tolist(), strict=True)),
    }


def check(model: HazardModel, folder: Path) -> int:
    """Price the golden vectors of the model's folder again; return how many there are.

    Raises:
        ModelError: there are none, or a figure is not the one that is kept: not the same bits where
            the same arithmetic made it, not within the promise elsewhere; names the first.
    """
    document = _document(folder)
    rules, vectors = kept(folder)
    exactly = document.get("arithmetic") == arithmetic()
    for number, vector in enumerate(vectors):
        again = _flat(price(model, rules, vector["project"], Terms(**vector["terms"])))
        for name, expected in _flat(vector["price"]).items():
            given = again.get(name, float("nan"))
            allowed = 0.0 if exactly else TOLERANCE_BPS if "_bps" in name else 1e-10
            if not abs(given - expected) <= allowed:
                said = f"golden vector {number} must have {name}={expected!r}"
                raise ModelError(f"{said}, however: {given!r}")
    return len(vectors)


@cache
def arithmetic() -> str:
    """Return what decides the last bit of a figure: our code, the libraries', and the processor."""
    said = [
        platform.machine(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    ]
    said += [np.__version__, numba.__version__, str(numba.config.DISABLE_JIT)]  # type: ignore[attr-defined]  # set at import
    digest = hashlib.sha256("\n".join(said).encode())
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def kept(folder: Path) -> tuple[Policy, list[dict[str, Any]]]:
    """Return the policy of a model's golden vectors and the vectors, as they stand in its folder.

    Raises:
        ModelError: there are none.
    """
    document = _document(folder)
    if not document["vectors"]:
        raise ModelError(f"{FILE} must hold vectors, however: none")
    return policies.parse(document["policy"].encode("utf-8")), document["vectors"]


def _document(folder: Path) -> dict[str, Any]:
    if not (folder / FILE).is_file():
        raise ModelError(f"a model folder must hold {FILE}, however: {folder}")
    return dict(json.loads((folder / FILE).read_text(encoding="utf-8")))


def choose(figures: np.ndarray[Any, Any]) -> list[int]:
    """Return the positions of the projects to keep: evenly from the lowest figure to the highest.

    >>> choose(np.array([3.0, 1.0, 2.0]))
    [1, 2, 0]
    """
    order = np.argsort(figures, kind="stable")
    at = np.linspace(0, len(order) - 1, min(VECTORS, len(order))).round().astype(np.int64)
    return [int(position) for position in order[at]]


def _flat(price: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures in one level, "columns_bps.runway" for a column's."""
    flat: dict[str, float] = {}
    for name, value in price.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
        else:
            flat[name] = value
    return flat
