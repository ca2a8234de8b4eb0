"""The guard beside the gate: who asks, whether they may, and whether it is not too much.

Everything is closed unless a door says otherwise: a door of scope `public` lets anybody in, any
other lets in who has its scope, and one without a scope nobody. What is refused is told in general
words; the audit has the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serving.access.audit import Refusals
from serving.access.caller import NOBODY, Caller
from serving.access.credential import CredentialError, Why
from serving.access.key import START
from serving.access.limits import Limits
from serving.access.ring import KeyRing
from serving.access.token import Issuer
from serving.doors import PUBLIC, Door
from serving.problem import FORBIDDEN, UNAUTHENTICATED, RefusedError

REALM = 'Bearer realm="seedrate"'
NONE_CAME = (
    "Authorization must be 'Bearer KEY', however: none came; "
    "`python -m serving keys create` on the server makes a key"
)
NO_GOOD = (
    "Authorization must be 'Bearer ' and a live key or token, however: this one opens nothing; "
    "`python -m serving keys list` on the server tells which keys are live"
)
KEY_START = START.encode()


@dataclass(frozen=True)
class Guard:
    """Keys, tokens, limits, and the notes of who was refused."""

    ring: KeyRing
    issuer: Issuer | None  # None: no tokens are taken
    limits: Limits
    refusals: Refusals

    async def caller(self, door: Door, authorization: bytes | None) -> Caller:
        """Return who asks at a door, if they may.

        Args:
            door: where they ask.
            authorization: the header of this name.

        Raises:
            RefusedError: `unauthenticated`, `forbidden`, or `access_unavailable`.
        """
        if door.scope == PUBLIC:
            return NOBODY
        try:
            caller = await self.shown(authorization)
            if door.scope not in caller.scopes:
                known = {"tenant": caller.tenant, "client": caller.client}
                raise CredentialError(Why.OUT_OF_SCOPE, **known)
        except CredentialError as error:
            self._note(error, door)
            raise _refused(error.why, door) from None
        return caller

    async def shown(self, authorization: bytes | None) -> Caller:
        """Return whose credential a header shows.

        Raises:
            CredentialError: nobody's.
            RefusedError: it cannot be checked now.
        """
        if authorization is None:
            raise CredentialError(Why.NONE)
        scheme, _, credential = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise CredentialError(Why.MALFORMED)
        if credential.startswith(KEY_START):
            return await self.ring.caller(credential)
        if self.issuer is None:
            raise CredentialError(Why.MALFORMED)
        return await self.issuer.caller(credential)

    def enter(self, door: Door, caller: Caller, body: Any) -> None:
        """Let a request of a caller begin; `leave` ends it.

        Args:
            door: where they ask.
            caller: who asks.
            body: what they send, as JSON says it.

        Raises:
            RefusedError: `too_many_requests`.
        """
        if door.scope == PUBLIC:
            return
        with self._noting(door, caller):
            self.limits.enter(caller.tenant, door.scope, _cost(body))

    def check(self, door: Door, caller: Caller) -> None:
        """Refuse a caller whose tenant has too much under way, before anything is read.

        Raises:
            RefusedError: `too_many_requests`.
        """
        if door.scope == PUBLIC:
            return
        with self._noting(door, caller):
            self.limits.check(caller.tenant)

    def leave(self, door: Door, caller: Caller) -> None:
        """End a request that `enter` let begin."""
        if door.scope != PUBLIC:
            self.limits.leave(caller.tenant)

    def close(self) -> None:
        """Let the store go."""
        self.ring.close()

    @contextmanager
    def _noting(self, door: Door, caller: Caller) -> Iterator[None]:
        try:
            yield
        except RefusedError:
            whose = {"tenant": caller.tenant, "client": caller.client}
            self.refusals.note(Why.LIMITED, route=door.path, **whose)
            raise

    def _note(self, error: CredentialError, door: Door) -> None:
        self.refusals.note(
            error.why,
            route=door.path,
            tenant=error.tenant,
            client=error.client,
            key_id=error.key_id,
        )


def _cost(body: Any) -> int:
    """Return what a request draws on a budget: 1, or the number of quotes in a batch."""
    quotes = body.get("quotes") if isinstance(body, dict) else None
    return max(len(quotes), 1) if isinstance(quotes, list) else 1


def _refused(why: Why, door: Door) -> RefusedError:
    """Return what a caller is told (RFC 6750, section 3)."""
    if why is Why.NONE:
        return RefusedError(UNAUTHENTICATED, NONE_CAME, headers={"WWW-Authenticate": REALM})
    if why is Why.OUT_OF_SCOPE:
        told = f'{REALM}, error="insufficient_scope", scope="{door.scope}"'
        detail = f"the credential must have the scope {door.scope}, however: it has not"
        return RefusedError(FORBIDDEN, detail, headers={"WWW-Authenticate": told})
    told = f'{REALM}, error="invalid_token"'
    return RefusedError(UNAUTHENTICATED, NO_GOOD, headers={"WWW-Authenticate": told})
