"""What the log says when a model begins to serve: which one, and by whose signed decision.

The decision is made where models are trained and approved, and is signed there
(models/statement.py); a server has checked it before it quotes. Here it goes into the same log as
the quotes, so that none of them can be said to have come from a model that nobody let serve.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from models.copies import Pointer
from models.hazard import HazardModel

SERVED = "served"
DECIDED = ("act", "turn", "who", "when", "why", "override", "gates")


def served(model: HazardModel, pointer: Pointer | None) -> dict[str, Any]:
    """Return the facts of an entry.

    Args:
        model: that serves from now on.
        pointer: to the champion, with its signed statement; of another model, or None, if this one
            was handed in without a registry: then nobody's decision is told.
    """
    version = str(model.card.get("version", ""))
    says = {"model": model.name, "version": version, "digest": model.digest}
    if pointer is None or pointer.digest != model.digest:
        return {**says, "decision": None}
    signed = orjson.loads(pointer.signed)
    decision = orjson.loads(signed["statement"])
    return {
        **says,
        "decision": {name: decision[name] for name in DECIDED},
        "signer": signed["key"],
        "statement_sha256": sha256(pointer.signed.encode()).hexdigest(),
    }
