"""The composition root of access: settings in, a guard and a store of keys out.

Where a key or a token ends is a time of day; how long ago something was is told by a clock that
nobody sets.
"""

from __future__ import annotations

import secrets
import time

from serving.access.audit import Audit, FileAudit, Refusals
from serving.access.guard import Guard
from serving.access.jwks import Jwks
from serving.access.limits import Limits
from serving.access.ring import KeyRing
from serving.access.store import KeyStore
from serving.access.token import Issuer, TokenRules
from serving.settings import Settings


def key_store(settings: Settings) -> KeyStore:
    """Return the store of the settings; it opens its database when it is first asked."""
    access = settings.access
    return KeyStore(access.url, access.pepper, time.time, secrets.token_bytes)


def audit(settings: Settings) -> Audit:
    """Return where what happens to keys and callers is noted."""
    return FileAudit(settings.audit, time.time)


def guard(settings: Settings) -> Guard:
    """Return the guard of a server."""
    access = settings.access
    return Guard(
        ring=KeyRing(key_store(settings), time.monotonic),
        issuer=_issuer(settings) if access.jwks else None,
        limits=Limits(access.per_minute, access.at_once, time.monotonic),
        refusals=Refusals(audit(settings), time.monotonic),
    )


def _issuer(settings: Settings) -> Issuer:
    access = settings.access
    rules = TokenRules(
        issuer=access.issuer,
        audience=access.audience,
        tenant_claim=access.tenant_claim,
        scope_claim=access.scope_claim,
        longest_seconds=access.token_seconds,
    )
    return Issuer(rules, Jwks(access.jwks, time.monotonic), time.time)
