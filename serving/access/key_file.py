"""A key that this machine's own commands use, in a file that its owner alone can read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pricing.errors import InputError
from serving.access.key import Key
from serving.access.pepper import OTHERS


def keep(path: Path, key: Key) -> None:
    """Write a key into a file, in the place of one that may be there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)  # of mode 600 from its first moment
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.text + "\n")
    Path(name).replace(path)


def kept(path: Path) -> str:
    """Return the key of a file; an empty text if there is none.

    Raises:
        InputError: others than its owner can read the file.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return ""
    if mode & OTHERS:
        expected = "a file that its owner alone can read (chmod 600)"
        raise InputError.of("key", expected, f"{path} with mode {mode & 0o777:o}")
    return text.strip()
