"""A new key for a log: listed in it under the old key's signature, then put in its place."""

from __future__ import annotations

from pathlib import Path

from models import keys
from models.keys import SIGNING
from serving.ledger import keyring
from serving.ledger.entry import KEY, of_ledger
from serving.ledger.ledger import Ledger
from serving.ledger.note import Signer

NEXT = "next"


async def rotate(ledger: Ledger, key: Path, origin: str) -> Signer:
    """List a new key in the log, sign that with the old one, and put the new one in its place.

    Args:
        ledger: open; no other server may run, as it would go on signing with the old key.
        key: the file of the private key.
        origin: the log's name.
    """
    if not (key.parent / NEXT / SIGNING).exists():
        keys.create(key.parent / NEXT, "ledger")
    fresh = keyring.signer(key.parent / NEXT / SIGNING, origin, make=False)
    now = ledger.now()
    says = {"verifier": fresh.verifier.line}
    await ledger.record(of_ledger(KEY, ledger.new_id(now), now, says))
    await ledger.checkpoint()
    _place(key)
    return fresh


def finish(key: Path, origin: str, bodies: list[bytes]) -> bool:
    """Put a listed key in its place, if a rotation broke off before it did; say whether it had."""
    waiting = key.parent / NEXT / SIGNING
    if not waiting.exists() or not bodies:
        return False
    fresh = keyring.signer(waiting, origin, make=False)
    if keyring.listed(bodies)[-1].line != fresh.verifier.line:
        return False
    _place(key)
    return True


def _place(key: Path) -> None:
    (key.parent / NEXT / SIGNING).replace(key)
