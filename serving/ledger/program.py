"""Which program made a price: the digest of the code that pricing passes through."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDERS = ("pricing", "features", "models", "serving")


@cache
def code_digest(root: Path) -> str:
    """Return the SHA-256 of every Python file of a quote's way: path, length, bytes."""
    digest = sha256()
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            content = file.read_bytes()
            name = file.relative_to(root).as_posix()
            digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()
