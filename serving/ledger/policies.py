"""Every policy that was quoted under, in a folder, each under its digest."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path


def keep(folder: Path, content: bytes) -> Path:
    """Keep a policy's bytes, whole or not at all; return the file."""
    path = _place(folder, sha256(content).hexdigest())
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(content)
        beside.replace(path)
    return path


def find(folder: Path, digest: str) -> bytes | None:
    """Return the bytes of a policy; None if they are not there, or were altered."""
    try:
        content = _place(folder, digest).read_bytes()
    except OSError:
        return None
    return content if sha256(content).hexdigest() == digest else None


def _place(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.toml"
