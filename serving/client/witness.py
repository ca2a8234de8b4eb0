"""Who holds a log to its past: verifies receipts, and that the log has only grown.

A witness trusts the log's public keys, got once from whoever runs it, and keeps the newest
checkpoint that it has seen. A server that cuts off the end of its log, puts back an older copy, or
shows another history to somebody else cannot prove to the witness that its log continues that one.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from serving.ledger import tree
from serving.ledger.held import Held
from serving.ledger.note import Checkpoint, Verifier
from serving.ledger.tiles import HEIGHT, WIDTH, Tile, folded
from serving.ledger.tree import HASH_BYTES, ProofError

Fetch = Callable[[str], bytes]  # the path of a tile below the log's address


class Witness:
    """Trusts some keys of one log, and remembers where the log was."""

    def __init__(self, keys: str, path: Path) -> None:
        """Trust keys, and remember in a file.

        Args:
            keys: the log's public keys, one a line, as `python -m serving ledger key` prints them.
            path: of the file with the newest checkpoint; none is there yet at the first time.
        """
        self._keys = [Verifier.parse(line) for line in keys.splitlines() if line.strip()]
        self._held = Held(path)

    def checkpoint(self, note: str, fetch: Fetch) -> Checkpoint:
        """Return what a note says, which continues what was seen before; remember it.

        Args:
            note: from the server.
            fetch: gets a tile from the server.

        Raises:
            ProofError: it is not signed by a key of the log, or the log was shortened or rewritten.
        """
        newer, older = self.signed(note), self._held.read()
        if older is not None:
            if older.size > newer.size:
                raise ProofError(
                    f"the log must have at least {older.size} entries, however: {newer.size}"
                )
            path = tree.consistency(_Remote(newer.size, fetch), older.size, newer.size)
            tree.check_consistency(older.size, older.root, newer.size, newer.root, path)
        self._held.write(note)
        return newer

    def receipt(self, body: bytes, reply: bytes | None = None) -> Checkpoint:
        """Return the checkpoint under which a receipt proves its quote; no network is needed.

        Args:
            body: the receipt.
            reply: the quote as it was given, if it must be the one recorded.

        Raises:
            ProofError: it proves nothing, or another reply.
        """
        shown = _document(body)
        try:
            entry = _bytes(shown["body"])
            path, openings = [_bytes(step) for step in shown["path"]], shown["openings"]
            seq, named, note = int(shown["seq"]), shown["quote_id"], str(shown["checkpoint"])
        except (KeyError, TypeError, ValueError):
            raise ProofError("a receipt must have its parts, and has not") from None
        checkpoint = self.signed(note)
        if tree.root_by_inclusion(tree.leaf_hash(entry), seq, checkpoint.size, path) != (
            checkpoint.root
        ):
            raise ProofError(f"the entry must be number {seq} under the checkpoint, and is not")
        said = _document(entry)
        if said.get("id") != named:
            raise ProofError(f"the receipt must be of {said.get('id')}, however: {named}")
        opened = {field: _opened(said, field, one) for field, one in openings.items()}
        if reply is not None and opened.get("reply") != reply:
            raise ProofError("the reply must be the one recorded, and is not")
        return checkpoint

    def signed(self, note: str) -> Checkpoint:
        """Return what a note says that one of the keys has signed."""
        for key in self._keys:
            try:
                return key.check(note)
            except ProofError:
                continue
        raise ProofError("a checkpoint must be signed by a key of the log that is trusted here")


class _Remote:
    """The complete subtrees of the log at a size, by way of the tiles that a server shows."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size, self._fetch = size, fetch
        self._kept: dict[Tile, bytes] = {}

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of the 2**level leaves that begin at leaf index * 2**level."""
        at, height = divmod(level, HEIGHT)
        first = index << height
        offset, here = first % WIDTH, first // WIDTH
        there = (self._size >> HEIGHT * at) - here * WIDTH
        data = self._tile(Tile(at, here, min(WIDTH, there)))
        cut = data[offset * HASH_BYTES : (offset + (1 << height)) * HASH_BYTES]
        return folded([cut[at : at + HASH_BYTES] for at in range(0, len(cut), HASH_BYTES)])

    def _tile(self, tile: Tile) -> bytes:
        if tile not in self._kept:
            data = self._fetch(tile.path)
            if len(data) != tile.width * HASH_BYTES:
                raise ProofError(f"{tile.path} must have {tile.width} hashes")
            self._kept[tile] = data
        return self._kept[tile]


def _opened(entry: Mapping[str, Any], field: str, opening: Any) -> bytes:
    """Return the value of a field that the entry commits to."""
    try:
        salt, value = _bytes(opening["salt"]), _bytes(opening["value"])
        commitment = str(entry["commit"][field])
    except (KeyError, TypeError, ValueError):
        raise ProofError(f"the opening of {field} must be one, and is not") from None
    if not hmac.compare_digest(hmac.digest(salt, value, "sha256").hex(), commitment):
        raise ProofError(f"{field} must be what the entry commits to, and is not")
    return value


def _document(data: bytes) -> dict[str, Any]:
    """Return a JSON object in which no name stands twice: readers differ on which one counts."""
    try:
        document = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ProofError("a receipt and its entry must be JSON objects")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _bytes(text: str) -> bytes:
    """Return what base64 says, in its one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("another spelling")
    return data
