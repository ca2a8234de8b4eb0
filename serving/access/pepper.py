"""The pepper: 32 random bytes in a file of their own, without which stored digests tell nothing.

Source: RFC 2104 (HMAC). A slow hash is for passwords, which can be guessed; 256 random bits cannot.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pricing.errors import InputError

SIZE = 32
SETTING = "SEEDRATE_PEPPER"
OTHERS = 0o077  # the bits of a file's mode by which anybody but its owner gets at it


@dataclass(frozen=True)
class Pepper:
    """The bytes; printing it shows none of them."""

    secret: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Pepper | None:
        """Return the pepper of a file; None if there is none yet.

        Raises:
            InputError: the file is no pepper, or others than its owner can read it.
        """
        try:
            mode, secret = path.stat().st_mode, path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError.of(SETTING, "readable", f"{path}: {error.strerror}") from None
        if mode & OTHERS:
            expected = "a file that its owner alone can read (chmod 600)"
            raise InputError.of(SETTING, expected, f"{path} with mode {mode & 0o777:o}")
        if len(secret) != SIZE:
            raise InputError.of(SETTING, f"a file of {SIZE} bytes", f"{path} of {len(secret)}")
        return cls(secret)

    @classmethod
    def made(cls, path: Path, random_bytes: Callable[[int], bytes]) -> Pepper:
        """Return the pepper of a file, made first where there is none.

        Args:
            path: of the file; its folder is made too, for its owner alone.
            random_bytes: as `secrets.token_bytes`.
        """
        if (found := cls.read(path)) is not None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)  # of mode 600 from its first moment
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(random_bytes(SIZE))
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)  # whole or not at all, and never over another
        except FileExistsError:
            pass  # another process was first, and its pepper counts
        finally:
            Path(name).unlink()
        made = cls.read(path)
        if made is None:
            raise InputError.of(SETTING, "a file that stays", f"{path}: it is gone")
        return made

    def digest(self, secret: str) -> bytes:
        """Return what is stored of a key's secret: HMAC-SHA-256(pepper, secret)."""
        return hmac.digest(self.secret, secret.encode(), hashlib.sha256)
