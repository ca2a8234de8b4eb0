"""What was decided of a version, signed: no version serves without such a statement.

    {"key": fingerprint, "signature": base64, "statement": text}

The text is the canonical JSON of a `Statement` (sorted keys, no blanks), and is what is signed. It
names the digest of the manifest, which covers every byte of the model.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from cryptography.exceptions import InvalidSignature

from models.keys import SigningKey, Trusted
from pricing.errors import ModelError

PURPOSE = b"seedrate statement 1\n"  # a signature made for anything else is not one of these


@dataclass(frozen=True)
class Statement:
    """Who let which version serve under an alias, when and why.

    Attributes:
        act: "promoted", "restored" or "challenged".
        model: name of the registered model.
        version: its number.
        digest: SHA-256 of the manifest.
        alias: under which the version may serve.
        turn: how many acts the alias had seen, this one included.
        gates: SHA-256 of the gates file.
        who: by whom.
        when: ISO 8601, with the zone.
        why: in words.
        override: the reason to do it in spite of failed gates; None where none failed.
        failed: those gates, each with its figure.
    """

    act: str
    model: str
    version: str
    digest: str
    alias: str
    turn: int
    gates: str
    who: str
    when: str
    why: str
    override: str | None = None
    failed: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        """Return when it was decided."""
        return datetime.fromisoformat(self.when)

    def text(self) -> str:
        """Return the canonical JSON."""
        return json.dumps(
            asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )


def sign(statement: Statement, key: SigningKey) -> str:
    """Return a statement with its signature, as a tag of a version holds it."""
    text = statement.text()
    signature = base64.b64encode(key.sign(PURPOSE + text.encode())).decode()
    return json.dumps({"key": key.fingerprint, "signature": signature, "statement": text})


def verify(signed: str, trusted: Trusted) -> Statement:
    """Return the statement that a trusted key has signed.

    Raises:
        ModelError: it bears no signature, that of another key, or was altered.
    """
    if not signed:
        raise ModelError(
            "a version must be signed (python -m training promote), however: it is not"
        )
    try:
        found = json.loads(signed)
        name, text = str(found["key"]), str(found["statement"])
        signature = base64.b64decode(found["signature"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"a signed statement must be readable, however: {error!r}") from None
    if name not in trusted:
        known = ", ".join(sorted(trusted)) or "none"
        raise ModelError(f"a version must be signed by a trusted key ({known}), however: {name}")
    try:
        trusted[name].verify(signature, PURPOSE + text.encode())
    except InvalidSignature:
        said = f"a statement must bear the signature of {name}"
        raise ModelError(f"{said}, however: it was altered, or signed by another") from None
    return _parse(text)


def demand(signed: str, trusted: Trusted, *, model: str, alias: str, digest: str) -> Statement:
    """Return the verified statement, if it lets this model serve under this alias.

    Raises:
        ModelError: it was signed by nobody who is trusted, or speaks of another.
    """
    statement = verify(signed, trusted)
    for name, expected in (("model", model), ("alias", alias), ("digest", digest)):
        given = getattr(statement, name)
        if given != expected:
            raise ModelError(f"the signed {name} must be {expected}, however: {given}")
    return statement


def _parse(text: str) -> Statement:
    """Return the statement of a text that a trusted key has signed."""
    names = {field.name for field in fields(Statement)}
    try:
        found = {name: value for name, value in json.loads(text).items() if name in names}
        statement = Statement(**{**found, "failed": tuple(found["failed"])})
        if statement.at.tzinfo is None:
            raise ValueError("no zone")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"a signed statement must be complete, however: {error!r}") from None
    return statement
