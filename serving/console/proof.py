"""A quote held against the log, on the spot: the same checks that a receipt's holder makes.

The body leads by its path to the root of a checkpoint, which a key that the log lists has signed;
and what is shown of the request and the reply is what the body has committed to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from serving.ledger import keyring
from serving.ledger.anchors import Anchors, Evidence
from serving.ledger.commitment import commit
from serving.ledger.entry import KEY, Kept
from serving.ledger.note import Checkpoint, Verifier
from serving.ledger.receipt import receipt
from serving.ledger.store import Store
from serving.ledger.tiles import Tiles
from serving.ledger.tree import ProofError, leaf_hash


@dataclass(frozen=True)
class Proof:
    """What was found; `fault` is empty where everything is as it was recorded."""

    seq: int
    leaf: str
    size: int = 0
    root: str = ""
    origin: str = ""
    key: str = ""  # the line of the key that signed
    steps: int = 0  # of the path
    opened: tuple[str, ...] = ()  # the fields that match their commitments
    anchors: tuple[Evidence, ...] = ()
    fault: str = ""


def prove(kept: Kept, store: Store, note: str, anchors: Anchors) -> Proof:
    """Return the proof of a quote.

    Args:
        kept: the quote.
        store: in which it is.
        note: the newest checkpoint.
        anchors: what outsiders have attested.
    """
    leaf = leaf_hash(kept.body).hex()
    try:
        evidence = tuple(anchors.newest(kept.seq + 1))
        made = receipt(kept, Tiles(store.reader), note)
        signed = signer(note, keyring.listed(store.reader.others(KEY)))
        checkpoint = Checkpoint.parse(note)
        return Proof(
            seq=kept.seq,
            leaf=leaf,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            origin=checkpoint.origin,
            key=signed.line,
            steps=len(made["path"]),
            opened=_opened(kept, orjson.loads(kept.body)),
            anchors=evidence,
        )
    except ProofError as error:
        return Proof(kept.seq, leaf, fault=str(error))


def signer(note: str, known: list[Verifier]) -> Verifier:
    """Return which of a log's keys has signed a checkpoint.

    Raises:
        ProofError: none of them.
    """
    for verifier in reversed(known):
        try:
            verifier.check(note)
        except ProofError:
            continue
        return verifier
    raise ProofError("a checkpoint must be signed by a key that the log lists")


def _opened(kept: Kept, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields that are as they were committed to; none once they are erased."""
    if kept.private is None:
        return ()
    values, salt = kept.private.opened(), kept.private.salt
    for name, said in body["commit"].items():
        if name not in values or commit(salt, name, values[name]).hex() != said:
            raise ProofError(f"the {name} of entry {kept.seq} must be the one recorded, and is not")
    return tuple(values)
