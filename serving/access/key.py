"""The text of an API key: an id to look it up by, 256 random bits, and a check of both.

    sr_live_<id, 8>_<secret, 43>_<check, 8>

The check finds a mistyped key without asking the store, and lets scanners tell a key that leaked
from a look-alike. It keeps nobody out: whoever makes up a key can make up its check.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

SECRET_BYTES = 32
START = "sr_live_"
_FORM = re.compile(rf"({START}([a-z2-7]{{8}})_([A-Za-z0-9_-]{{43}}))_([0-9a-f]{{8}})")


@dataclass(frozen=True)
class Key:
    """A key in its two parts; printing it shows its id alone."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def made(cls, random_bytes: Callable[[int], bytes]) -> Key:
        """Return a new key.

        Args:
            random_bytes: as `secrets.token_bytes`.

        >>> Key.made(lambda count: bytes(count)).text
        'sr_live_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_276ed73b'
        """
        secret = base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).decode().rstrip("=")
        return cls(base64.b32encode(random_bytes(5)).decode().lower(), secret)

    @classmethod
    def read(cls, text: str) -> Key | None:
        """Return the key that a text is, or None.

        >>> Key.read("sr_live_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_276ed73b")
        Key(id='aaaaaaaa')
        """
        found = _FORM.fullmatch(text)
        if found is None or _check(found[1]) != found[4]:
            return None
        return cls(found[2], found[3])

    @property
    def text(self) -> str:
        """Return the key as its owner keeps it."""
        body = f"{START}{self.id}_{self.secret}"
        return f"{body}_{_check(body)}"


def _check(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
