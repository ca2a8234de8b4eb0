"""Verify a receipt of a quote: one file, for anybody, with Python and `cryptography` alone.

    python verify_receipt.py RECEIPT.json --key KEY [--reply REPLY.json] [--since CHECKPOINT]

KEY is the log's public key as one line (`<origin>+<hash>+<base64>`), or a file of such lines; get
it once, from whoever runs the log, and keep it. RECEIPT.json is what the log's server answers at
`/v1/quotes/{id}/receipt`. REPLY.json is the quote as it was given, if it is to be the one recorded.
CHECKPOINT is one that was kept from the same log: the two must not contradict each other.

Exit code: 0 the receipt is intact, 1 something was tampered with, 2 it cannot be told.
No network, no database, nothing of the project. Sources: RFC 9162, section 2.1.3.2; C2SP
signed-note and tlog-checkpoint; docs/ledger.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

INTACT, TAMPERED, CANNOT_TELL = 0, 1, 2
DASH = "\u2014 "


class TamperedError(Exception):
    """What is shown contradicts itself, or what was signed."""


class CannotTellError(Exception):
    """Something that is needed is missing, or is no receipt."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what a receipt shows, and return the exit code."""
    asked = _arguments(arguments)
    try:
        for line in verify(asked.receipt, asked.key, asked.reply, asked.since):
            print(line)
    except TamperedError as error:
        print(f"TAMPERED: {error}")
        return TAMPERED
    except CannotTellError as error:
        print(f"CANNOT TELL: {error}")
        return CANNOT_TELL
    print("INTACT")
    return INTACT


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("receipt", type=Path, help="what /v1/quotes/{id}/receipt answered")
    parser.add_argument("--key", required=True, help="the log's public key, or a file of them")
    parser.add_argument("--reply", type=Path, help="the quote as it was given")
    parser.add_argument("--since", type=Path, help="a checkpoint of the same log that was kept")
    return parser.parse_args(arguments)


def verify(receipt: Path, key: str, reply: Path | None, since: Path | None) -> list[str]:
    """Return what a receipt shows, a line each.

    Raises:
        TamperedError: it contradicts itself, its signature, the reply or the older checkpoint.
        CannotTellError: it is no receipt, or a file or the library is missing.
    """
    shown = _document(receipt)
    try:
        note, seq, body = shown["checkpoint"], shown["seq"], _bytes(shown["body"])
        path, openings = [_bytes(step) for step in shown["path"]], dict(shown["openings"])
        known = [isinstance(note, str), type(seq) is int, isinstance(shown["anchors"], list)]
    except (KeyError, TypeError, ValueError):
        known = [False]
    if not all(known):
        raise CannotTellError(f"{receipt.name} is no receipt")
    origin, size, root = signed(note, _keys(key))
    leaf = hashlib.sha256(b"\0" + body).digest()
    if root_of(leaf, seq, size, path) != root:
        raise TamperedError(f"the entry is not number {seq} of the {size} under the checkpoint")
    entry = _json(body, "the entry")
    figure, model = entry.get("figure") or {}, entry.get("model") or {}
    said = [
        f"log        {origin}, {size} entries, signed by {key_name(note, origin)}",
        f"entry      number {seq}: {entry.get('kind')} {entry.get('id')}",
        f"price      {figure.get('of')} {figure.get('bps')} by model {model.get('digest')}",
    ]
    if entry.get("id") != shown.get("quote_id"):
        raise TamperedError("the receipt names another quote than its entry")
    said.append(_opened(entry, openings))
    if reply is not None:
        said.append(_same_reply(openings, reply))
    if since is not None:
        said.append(_not_before(origin, size, root, since, _keys(key)))
    for anchor in shown["anchors"]:
        if anchor.get("note") != note:
            raise TamperedError("an anchor attests another checkpoint than the receipt's")
        said.append(f"anchor     {anchor.get('kind')}: attached, not verified here")
    return said


def signed(note: str, keys: Sequence[tuple[str, bytes]]) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint that one of the keys has signed."""
    text, gap, signatures = note.partition("\n\n")
    try:
        origin, written, root = text.split("\n")[:3]
        size, hashed = int(written), _bytes(root)
    except ValueError:
        raise TamperedError("the checkpoint is none") from None
    ours = [raw for name, raw in keys if name == origin]
    if not ours:
        raise CannotTellError(f"the key given is not one of {origin}")
    for line in signatures.split("\n") if gap else ():
        for raw in ours:
            if line.startswith(f"{DASH}{origin} ") and _verified(origin, raw, text + "\n", line):
                return origin, size, hashed
    raise TamperedError("the checkpoint is not signed by the key given")


def _verified(origin: str, raw: bytes, text: str, line: str) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise CannotTellError("cryptography is missing: pip install cryptography") from None
    try:
        blob = _bytes(line.split(" ")[2])
        if blob[:4] != key_hash(origin, raw):
            return False
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(blob[4:], text.encode())
    except (InvalidSignature, ValueError, IndexError):
        return False
    return True


def key_hash(name: str, raw: bytes) -> bytes:
    """Return the hash by which a signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def key_name(note: str, origin: str) -> str:
    """Return the name and hash that stand in a note's signature."""
    line = next(one for one in note.splitlines() if one.startswith(f"{DASH}{origin} "))
    return f"{origin}+{_bytes(line.split(' ')[2])[:4].hex()}"


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a proof of inclusion leads to (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise TamperedError(f"number {index} is not among {size} entries")
    own, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise TamperedError("the proof is too long")
        if own & 1 or own == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while own and not own & 1:
                own, last = own >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        own, last = own >> 1, last >> 1
    if last:
        raise TamperedError("the proof is too short")
    return found


def _opened(entry: Any, openings: dict[str, Any]) -> str:
    """Check every opened field against the entry's commitment."""
    commitments = entry.get("commit") or {}
    for field, opening in openings.items():
        try:
            salt, value = _bytes(opening["salt"]), _bytes(opening["value"])
        except (KeyError, TypeError, ValueError):
            raise TamperedError(f"the opening of {field} is none") from None
        if hmac.new(salt, value, hashlib.sha256).hexdigest() != commitments.get(field):
            raise TamperedError(f"{field} is not what the entry commits to")
    closed = sorted(set(commitments) - set(openings))
    return f"opened     {', '.join(sorted(openings)) or 'nothing'}" + (
        f"; closed: {', '.join(closed)}" if closed else ""
    )


def _same_reply(openings: dict[str, Any], reply: Path) -> str:
    if "reply" not in openings:
        raise CannotTellError("the receipt does not open the reply: it was erased")
    if _read(reply) != _bytes(openings["reply"]["value"]):
        raise TamperedError(f"{reply.name} is not the reply that is recorded")
    return f"reply      {reply.name} is the one recorded, byte for byte"


def _not_before(
    origin: str, size: int, root: bytes, since: Path, keys: Sequence[tuple[str, bytes]]
) -> str:
    """Compare with a checkpoint that was kept; between two sizes only the log can prove more."""
    older, old_size, old_root = signed(_read(since).decode(), keys)
    if older != origin:
        raise CannotTellError(f"{since.name} is of another log, {older}")
    if old_size == size and old_root != root:
        raise TamperedError(f"{since.name} has another root at the same size: two histories")
    return f"since      {since.name} has {old_size} entries: ask the log for their consistency"


def _keys(given: str) -> list[tuple[str, bytes]]:
    """Return name and bytes of each key of a line, or of a file of lines."""
    text = _read(Path(given)).decode() if "+" not in given else given
    keys = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            name, hashed, encoded = line.split("+", 2)
            raw = _bytes(encoded)
        except ValueError:
            raise CannotTellError(f"a key must be <origin>+<hash>+<base64>: {line[:60]}") from None
        if raw[:1] != b"\1" or len(raw) != 33 or key_hash(name, raw).hex() != hashed:
            raise CannotTellError(f"the key's own hash is wrong: {line[:60]}")
        keys.append((name, raw))
    return keys


def _document(path: Path) -> Any:
    document = _json(_read(path), path.name)
    if not isinstance(document, dict):
        raise CannotTellError(f"{path.name} is no receipt")
    return document


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise CannotTellError(f"{what} is no JSON") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotTellError(f"{path} cannot be read: {error.strerror}") from None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
