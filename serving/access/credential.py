"""Why a credential is refused: told to the audit, and never to the one who showed it."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """The reasons there are."""

    NONE = "no credential came"
    MALFORMED = "it is neither a key nor a token"
    UNKNOWN = "no key has this id"
    WRONG_SECRET = "the secret is not the key's"
    REVOKED = "the key was revoked"
    EXPIRED = "it has expired"
    UNTRUSTED = "the token is not one that this server takes"
    OUT_OF_SCOPE = "it lacks the scope of the address"
    LIMITED = "its tenant has used up a limit"


class CredentialError(Exception):
    """A credential that opens nothing."""

    def __init__(self, why: Why, *, key_id: str = "", tenant: str = "", client: str = "") -> None:
        """Keep why, and of whom as far as it is known for sure.

        Args:
            why: the reason.
            key_id: of the key that was shown; it is no secret.
            tenant: only where the credential was genuine.
            client: the same.
        """
        super().__init__(why.value)
        self.why = why
        self.key_id = key_id
        self.tenant = tenant
        self.client = client
