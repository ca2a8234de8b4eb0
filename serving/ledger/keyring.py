"""Which keys sign a log's checkpoints: the log itself lists each, from its first entry on.

A key that signs is listed before it signs; the checkpoint over the entry that lists a new key is
signed by the one before it. Whoever trusts the first key thereby knows all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from models import keys
from models.keys import SIGNING, SigningKey
from pricing.errors import InputError
from serving.ledger.note import Signer, Verifier
from serving.ledger.tree import ProofError


def signer(path: Path, origin: str, *, make: bool) -> Signer:
    """Return the key in a file, under the log's name.

    Args:
        path: the private key, as models/keys.py writes it.
        origin: the log's name.
        make: make the key if there is none; else it must be there.

    Raises:
        InputError: it is absent and not made, or unfit.
    """
    if make and not path.exists() and path.name == SIGNING:
        keys.create(path.parent, "ledger")
    try:
        return Signer(origin, SigningKey.read(path))
    except InputError as error:
        faults = [replace(fault, field="SEEDRATE_LEDGER_KEY") for fault in error.faults]
        raise InputError(faults) from None


def listed(bodies: Sequence[bytes]) -> list[Verifier]:
    """Return the keys that a log lists, oldest first."""
    return [Verifier.parse(orjson.loads(body)["verifier"]) for body in bodies]


def check_signer(own: Verifier, bodies: Sequence[bytes]) -> Verifier | None:
    """Return the newest key that a log lists, which must be ours; None if it lists none yet.

    Raises:
        ProofError: it is another one.
    """
    if not bodies:
        return None
    newest = listed(bodies)[-1]
    if newest.line != own.line:
        raise ProofError(
            f"the ledger's key must be {newest.line}, the newest that the log lists (a new one "
            f"comes with `python -m serving ledger rotate`), however: {own.line}"
        )
    return newest
