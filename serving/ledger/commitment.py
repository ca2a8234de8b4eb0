"""Commitments: a private value is named by a hash that says nothing of it without its salt.

    commitment = HMAC-SHA-256(HMAC-SHA-256(salt, field), value)

A row has one random salt; each field's own salt follows from it, so that one field can be opened
without the others. Once the row's salt and values are deleted, the commitments are noise, and the
entry that holds them, its leaf and every proof stay.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

SALT_BYTES = 32


def field_salt(salt: bytes, field: str) -> bytes:
    """Return the salt of one field of a row."""
    return hmac.digest(salt, field.encode(), "sha256")


def commit(salt: bytes, field: str, value: bytes) -> bytes:
    """Return the commitment to a field's value under a row's salt."""
    return hmac.digest(field_salt(salt, field), value, "sha256")


def commit_all(salt: bytes, values: Mapping[str, bytes]) -> dict[str, str]:
    """Return the commitment to each field, in hexadecimal."""
    return {field: commit(salt, field, value).hex() for field, value in values.items()}
