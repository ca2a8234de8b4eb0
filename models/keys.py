"""Keys that sign versions of a model: Ed25519, in files as OpenSSH writes them.

    signing.key    the private key, which its owner alone may read, and which is never shown
    trusted.txt    public keys, one a line, "ssh-ed25519 AAAA... who": what they signed may serve

Source: RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from pricing.errors import Fault, InputError

SIGNING, TRUSTED = "signing.key", "trusted.txt"
OTHERS = 0o077  # the bits of a file's mode by which anybody but its owner gets at it

Trusted = Mapping[str, Ed25519PublicKey]  # by fingerprint


@dataclass(frozen=True)
class SigningKey:
    """A private key; printing it shows its fingerprint alone."""

    private: Ed25519PrivateKey = field(repr=False)
    fingerprint: str

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """Read a private key.

        Raises:
            InputError: it is absent, no Ed25519 key, or others than its owner can read it.
        """
        try:
            mode, text = path.stat().st_mode, path.read_bytes()
        except OSError as error:
            expected = "a private key (python -m training keys makes one)"
            raise _wrong_key(expected, f"{path}: {error.strerror}") from None
        if mode & OTHERS:
            expected = "a file that its owner alone can read (chmod 600)"
            raise _wrong_key(expected, f"{path} with mode {mode & 0o777:o}")
        try:
            private = load_ssh_private_key(text, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise _wrong_key("an Ed25519 key in OpenSSH's format, without a password", path)
        return cls(private, fingerprint(private.public_key()))

    @property
    def line(self) -> str:
        """Return the public half, as a file of trusted keys has it."""
        return _line(self.private.public_key()).decode()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self.private.sign(message)


def create(folder: Path, who: str) -> SigningKey:
    """Make a pair in a folder, and trust it there.

    Args:
        folder: made if absent, for its owner alone.
        who: stands beside the public key.

    Raises:
        InputError: there is a private key already; it is never overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    handle, name = tempfile.mkstemp(dir=folder)  # of mode 600 from its first moment
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.link(name, folder / SIGNING)  # whole or not at all, and never over another
    except FileExistsError:
        raise InputError.of("keys", "made once", f"{folder / SIGNING} is there") from None
    finally:
        Path(name).unlink()
    made = SigningKey(private, fingerprint(private.public_key()))
    with (folder / TRUSTED).open("a", encoding="utf-8") as file:
        file.write(f"{made.line} {' '.join(who.split())}\n")
    return made


def trusted(path: Path) -> Trusted:
    """Read public keys, one a line; empty lines and those that begin with # are skipped.

    Raises:
        InputError: there is no such file, or lines of it are no keys; names each.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        expected = "a file of public keys (python -m training keys makes one)"
        raise InputError.of("SEEDRATE_TRUSTED_KEYS", expected, f"{path}: {error}") from None
    found: dict[str, Ed25519PublicKey] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = _public(line)
        if key is None:
            field = f"SEEDRATE_TRUSTED_KEYS, line {number}"
            faults.append(Fault(field, '"ssh-ed25519 AAAA... who"', repr(line[:60])))
        else:
            found[fingerprint(key)] = key
    if faults:
        raise InputError(faults)
    return found


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the short name of a public key, the one that `ssh-keygen -l` prints."""
    blob = base64.b64decode(_line(key).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _line(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def _public(line: str) -> Ed25519PublicKey | None:
    try:
        key = load_ssh_public_key(" ".join(line.split()[:2]).encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _wrong_key(expected: str, given: object) -> InputError:
    return InputError.of("SEEDRATE_SIGNING_KEY", expected, given)
