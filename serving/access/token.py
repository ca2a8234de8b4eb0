"""Tokens of an issuer (OAuth 2.0 access tokens as JWTs), checked here and nowhere else.

Signed with ES256 or EdDSA, and with nothing else: the algorithm follows from the issuer's key, and
never from the token. `iss`, `aud`, `exp`, `nbf`, `jti` and `sub` must be there, and a token may not
live longer than the settings allow. A token that was good once is believed until it expires.

Source: RFC 7519 (JWT), RFC 8725 (best practice), RFC 9068 (access tokens).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import jwt
from jwt.types import Options

from serving.access.caller import SCOPES, Caller, is_name
from serving.access.credential import CredentialError, Why
from serving.access.jwks import Jwks
from serving.problem import ACCESS_UNAVAILABLE, RefusedError

ASKED: Options = {  # times are checked below, by the clock that was given
    "require": ["iss", "aud", "exp", "nbf", "jti", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
LEEWAY_SECONDS = 5  # between two clocks
MOST_BYTES = 8192
MOST_KNOWN = 10_000
BROKEN = (ValueError, OverflowError, RecursionError)  # what parsing nonsense may raise


@dataclass(frozen=True)
class TokenRules:
    """What a token must say to be taken."""

    issuer: str
    audience: str
    tenant_claim: str
    scope_claim: str
    longest_seconds: float


class Issuer:
    """Says who shows a token."""

    def __init__(self, rules: TokenRules, keys: Jwks, now: Callable[[], float]) -> None:
        """Know nobody.

        Args:
            rules: of the tokens.
            keys: of their issuer.
            now: in seconds since 1970.
        """
        self._rules = rules
        self._keys = keys
        self._now = now
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def caller(self, token: bytes) -> Caller:
        """Return whose token it is.

        Raises:
            CredentialError: nobody's.
            RefusedError: the issuer's keys cannot be had.
        """
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        if known is not None:
            if self._now() < known[1]:
                return known[0]
            del self._known[digest]
        if len(token) > MOST_BYTES:
            raise CredentialError(Why.MALFORMED)
        try:
            caller, expires = self._read(await self._claims(token.decode("latin-1")))
        except (jwt.PyJWTError, *BROKEN):
            raise CredentialError(Why.UNTRUSTED) from None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = caller, expires
        return caller

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Return what a token says, signed by the issuer, for us, and for now."""
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str):
            raise jwt.InvalidTokenError("no kid")
        try:
            key = await self._keys.key(kid)
        except ConnectionError:
            detail = "tokens cannot be checked: the keys of their issuer cannot be had"
            raise RefusedError(ACCESS_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from None
        if key is None:
            raise jwt.InvalidKeyError("not a key of the issuer")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            options=ASKED,
        )
        return claims

    def _read(self, claims: Mapping[str, Any]) -> tuple[Caller, float]:
        """Return whose a token is, and until when; what it says is signed, but may be unfit."""
        rules, now = self._rules, self._now()
        begins, expires = _seconds(claims["nbf"]), _seconds(claims["exp"])
        if expires <= now - LEEWAY_SECONDS:
            raise CredentialError(Why.EXPIRED)
        if begins > now + LEEWAY_SECONDS or expires - begins > rules.longest_seconds:
            raise jwt.InvalidTokenError("it is not yet good, or for too long")
        tenant, client = claims.get(rules.tenant_claim), claims["sub"]
        if not is_name(tenant) or not is_name(client):
            raise jwt.InvalidTokenError("no name that a tenant or a client may have")
        return Caller(str(tenant), client, _scopes(claims.get(rules.scope_claim))), expires


def _seconds(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not isfinite(claim):
        raise jwt.InvalidTokenError("no time")
    return claim


def _scopes(claim: object) -> frozenset[str]:
    """Return the scopes of ours that a claim names, as words of a text or as a list.

    >>> sorted(_scopes("openid price explain")), sorted(_scopes(["price", 7])), _scopes(None)
    (['explain', 'price'], ['price'], frozenset())
    """
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(word for word in words if isinstance(word, str)) & frozenset(SCOPES)
