"""A receipt: what proves to an outsider, without a network, that a quote is in the log."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from serving.ledger import tree
from serving.ledger.anchors import Evidence
from serving.ledger.commitment import commit, field_salt
from serving.ledger.entry import Kept
from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError, Subtrees

SCHEMA = "seedrate.receipt.1"


def receipt(
    kept: Kept, subtrees: Subtrees, note: str, anchors: Sequence[Evidence] = ()
) -> dict[str, Any]:
    """Return the receipt of an entry under a checkpoint.

    Args:
        kept: the entry.
        subtrees: of the log.
        note: a checkpoint that covers it.
        anchors: what outsiders have attested about that checkpoint.

    Raises:
        ProofError: what is stored of it is not what was recorded.
    """
    checkpoint = Checkpoint.parse(note)
    path = tree.inclusion(subtrees, kept.seq, checkpoint.size)
    leaf = tree.leaf_hash(kept.body)
    if tree.root_by_inclusion(leaf, kept.seq, checkpoint.size, path) != checkpoint.root:
        raise ProofError(f"entry {kept.seq} must be as it was recorded, and is not")
    return {
        "schema": SCHEMA,
        "quote_id": kept.quote_id,
        "seq": kept.seq,
        "body": _text(kept.body),
        "checkpoint": note,
        "path": [_text(step) for step in path],
        "openings": _openings(kept),
        "anchors": [one.document() for one in anchors],
    }


def _openings(kept: Kept) -> dict[str, dict[str, str]]:
    """Return each private field with its salt; none once they are erased."""
    if kept.private is None:
        return {}
    values = kept.private.opened()
    if commit(kept.private.salt, "request", values["request"]) != kept.request:
        raise ProofError(f"the request of entry {kept.seq} must be the one recorded, and is not")
    return {
        field: {"salt": _text(field_salt(kept.private.salt, field)), "value": _text(value)}
        for field, value in values.items()
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
