"""Verify a receipt of a quote: one file, for anybody, with Python and `cryptography` alone.

    python verify_receipt.py RECEIPT.json --key KEY [--reply REPLY.json] [--since CHECKPOINT]
                             [--tsa ROOTS.pem]

KEY is the log's public key as one line (`<origin>+<hash>+<base64>`), or a file of such lines; get
it once, from whoever runs the log, and keep it. RECEIPT.json is what the log's server answers at
`/v1/quotes/{id}/receipt`. REPLY.json is the quote as it was given, if it is to be the one recorded.
CHECKPOINT is one that was kept from the same log: the two must not contradict each other.
ROOTS.pem are the roots of the time-stamping authority that you trust: then the receipt must carry
its token, and OpenSSL, which must be installed, verifies that (RFC 3161).

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
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

INTACT, TAMPERED, CANNOT_TELL = 0, 1, 2
DASH = "\u2014 "
SCHEMA = "seedrate.receipt.1"
TSA = "rfc3161"


class TamperedError(Exception):
    """What is shown contradicts itself, or what was signed."""


class CannotTellError(Exception):
    """Something that is needed is missing, or is no receipt."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what a receipt shows, and return the exit code."""
    asked = _arguments(arguments)
    try:
        for line in verify(asked.receipt, asked.key, asked.reply, asked.since, asked.tsa):
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
    parser.add_argument("--tsa", type=Path, help="roots, PEM, of the authority whose time counts")
    return parser.parse_args(arguments)


def verify(
    receipt: Path, key: str, reply: Path | None, since: Path | None, tsa: Path | None
) -> list[str]:
    """Return what a receipt shows, a line each.

    Raises:
        TamperedError: it contradicts itself, its signature, the reply or the older checkpoint.
        CannotTellError: it is no receipt, or a file or the library is missing.
    """
    shown = _document(_read(receipt), receipt.name)
    try:
        note, seq, body = shown["checkpoint"], shown["seq"], _bytes(shown["body"])
        path, openings = [_bytes(step) for step in shown["path"]], dict(shown["openings"])
        anchors = [dict(anchor) for anchor in shown["anchors"]]
        known = [isinstance(note, str), type(seq) is int, shown["schema"] == SCHEMA]
    except (KeyError, TypeError, ValueError):
        known = [False]
    if not all(known):
        raise CannotTellError(f"{receipt.name} is no receipt")
    origin, size, root, by = signed(note, _keys(key))
    leaf = hashlib.sha256(b"\0" + body).digest()
    if root_of(leaf, seq, size, path) != root:
        raise TamperedError(f"the entry is not number {seq} of the {size} under the checkpoint")
    entry = _document(body, "the entry")
    figure, model = entry.get("figure") or {}, entry.get("model") or {}
    said = [
        f"log        {origin}, {size} entries, signed by {by}",
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
    for anchor in anchors:
        if anchor.get("note") != note:
            raise TamperedError("an anchor attests another checkpoint than the receipt's")
        said.append(_stamped(anchor, note, tsa))
    if tsa is not None and not any(anchor.get("kind") == TSA for anchor in anchors):
        raise CannotTellError("the receipt carries no time stamp: fetch it again once it is made")
    return said


def _stamped(anchor: dict[str, Any], note: str, tsa: Path | None) -> str:
    """Say what an anchor shows; a time stamp is verified if its authority's roots were given."""
    if anchor.get("kind") != TSA or tsa is None:
        return f"anchor     {anchor.get('kind')}: attached, not verified here"
    try:
        token = _bytes(anchor["data"])
    except (KeyError, ValueError):
        raise TamperedError("the time stamp is none") from None
    _read(tsa)
    with tempfile.TemporaryDirectory() as folder:
        text, answer = Path(folder, "text"), Path(folder, "answer")
        text.write_bytes(note.partition("\n\n")[0].encode() + b"\n")
        answer.write_bytes(token)
        command = ["-verify", "-data", str(text), "-in", str(answer), "-CAfile", str(tsa)]
        if _openssl(*command).returncode != 0:
            raise TamperedError("the time stamp does not hold under the roots given")
        said = _openssl("-reply", "-in", str(answer), "-text").stdout
    times = [line for line in said.splitlines() if line.startswith("Time stamp:")]
    return f"anchor     {TSA}: existed by {' '.join(times).removeprefix('Time stamp:').strip()}"


def _openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["openssl", "ts", *arguments], capture_output=True, text=True)
    except OSError:
        raise CannotTellError("OpenSSL is missing, which verifies time stamps") from None


def signed(note: str, keys: Sequence[tuple[str, bytes]]) -> tuple[str, int, bytes, str]:
    """Return origin, size and root of a checkpoint, and the name of the key that has signed it."""
    text, _, signatures = note.partition("\n\n")
    *lines, rest = signatures.split("\n")
    try:
        origin, written, root = text.split("\n")[:3]
        size, hashed = int(written), _bytes(root)
    except ValueError:
        raise TamperedError("the checkpoint is none") from None
    ours = [raw for name, raw in keys if name == origin]
    if not ours:
        raise CannotTellError(f"the key given is not one of {origin}")
    for line in () if rest else lines:
        for raw in ours:
            if line.startswith(f"{DASH}{origin} ") and _verified(origin, raw, text + "\n", line):
                return origin, size, hashed, f"{origin}+{key_hash(origin, raw).hex()}"
    raise TamperedError("the checkpoint is not signed by the key given")


def _verified(origin: str, raw: bytes, text: str, line: str) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise CannotTellError("cryptography is missing: pip install cryptography") from None
    try:
        blob = _bytes(line.removeprefix(f"{DASH}{origin} "))
        if blob[:4] != key_hash(origin, raw):
            return False
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(blob[4:], text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def key_hash(name: str, raw: bytes) -> bytes:
    """Return the hash by which a signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


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
    older, old_size, old_root, _ = signed(_read(since).decode(), keys)
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


def _document(data: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object in which no name stands twice: readers differ on which one counts."""
    try:
        document = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise CannotTellError(f"{what} is no JSON") from None
    if not isinstance(document, dict):
        raise CannotTellError(f"{what} is no JSON object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotTellError(f"{path} cannot be read: {error.strerror}") from None


def _bytes(text: str) -> bytes:
    """Return what base64 says, in its one spelling: the bits that it leaves unused are zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(str(error)) from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("another spelling")
    return data


if __name__ == "__main__":
    sys.exit(main())
