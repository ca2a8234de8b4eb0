"""Checkpoints: the size and the root of the log, as a signed note that anybody can check.

    <origin>
    <size>
    <root, base64>

    — <origin> <base64(key hash || signature)>

Source: C2SP signed-note (Ed25519) and tlog-checkpoint.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.keys import SigningKey
from serving.ledger.tree import HASH_BYTES, ProofError

ED25519 = b"\x01"
DASH = "\u2014 "
KEY_HASH_BYTES = 4


@dataclass(frozen=True)
class Checkpoint:
    """What the log was at a size."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Return what a note says; no signature is looked at.

        Raises:
            ProofError: it is no checkpoint.
        """
        try:
            origin, size, root = note.partition("\n\n")[0].split("\n")[:3]
            found = cls(origin, int(size), base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error):
            raise ProofError("a checkpoint must have an origin, a size and a root") from None
        if not origin or str(found.size) != size or found.size < 0 or len(found.root) != HASH_BYTES:
            raise ProofError("a checkpoint must have an origin, a size and a root")
        return found


@dataclass(frozen=True)
class Verifier:
    """A public key under the name it signs with."""

    name: str
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, line: str) -> Verifier:
        """Return the key that a line `<name>+<key hash>+<base64(0x01 || public key)>` gives.

        Raises:
            ProofError: it is no such line.
        """
        try:
            name, hashed, encoded = line.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            found = cls(name, Ed25519PublicKey.from_public_bytes(raw[1:]))
        except (ValueError, binascii.Error):
            raise ProofError(
                f"a key must be <name>+<hash>+<base64>, however: {line[:80]!r}"
            ) from None
        if raw[:1] != ED25519 or found.hash.hex() != hashed:
            raise ProofError(f"a key's hash must be that of its name and bytes: {line[:80]!r}")
        return found

    @property
    def raw(self) -> bytes:
        """Return the type of the key and its bytes."""
        return ED25519 + self.public.public_bytes_raw()

    @property
    def hash(self) -> bytes:
        """Return the hash by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + self.raw).digest()[:KEY_HASH_BYTES]

    @property
    def line(self) -> str:
        """Return the key as a line."""
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(self.raw).decode()}"

    def check(self, note: str) -> Checkpoint:
        """Return the checkpoint of a note that this key has signed.

        Raises:
            ProofError: it has not.
        """
        text, _, signatures = note.partition("\n\n")
        *lines, rest = signatures.split("\n")
        for line in () if rest else lines:
            if line.startswith(f"{DASH}{self.name} ") and self._signed(text + "\n", line):
                checkpoint = Checkpoint.parse(note)
                if checkpoint.origin != self.name:
                    raise ProofError(
                        f"the origin must be {self.name}, however: {checkpoint.origin}"
                    )
                return checkpoint
        raise ProofError(f"the checkpoint must be signed by {self.name}+{self.hash.hex()}")

    def _signed(self, text: str, line: str) -> bool:
        encoded = line.removeprefix(f"{DASH}{self.name} ")
        try:
            blob = base64.b64decode(encoded, validate=True)
            if blob[:KEY_HASH_BYTES] != self.hash or base64.b64encode(blob).decode() != encoded:
                return False  # bits that base64 leaves unused must be zero: one text, one signature
            self.public.verify(blob[KEY_HASH_BYTES:], text.encode())
        except (InvalidSignature, ValueError, binascii.Error):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A log's private key under the log's origin."""

    origin: str
    key: SigningKey

    @property
    def verifier(self) -> Verifier:
        """Return the public half."""
        return Verifier(self.origin, self.key.private.public_key())

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed checkpoint of a size and root."""
        text = Checkpoint(self.origin, size, root).text
        blob = self.verifier.hash + self.key.sign(text.encode())
        return f"{text}\n{DASH}{self.origin} {base64.b64encode(blob).decode()}\n"
