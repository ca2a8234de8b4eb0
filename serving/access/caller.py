"""Who calls: the tenant whose data it is, the client that speaks for it, and what it may do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SCOPES: Mapping[str, str] = {
    "price": "ask for quotes, which are recorded; have books priced in the console, which are not",
    "explain": "price and explain without recording",
    "model:read": "read the model's card, the columns and the interface",
    "ledger:read": "read the quotes recorded for the own tenant",
    "ledger:verify": "read what proves that nothing recorded was changed",
    "metrics": "read counts and latencies",
    "console:read": "see the console, and in it the quotes of the own tenant",
    "promote": "propose promotions and rollbacks in the console, and decide on those of others",
}
NAME = "letters, digits and . _ @ -, at most 64 of them"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Caller:
    """What a credential says of the one who shows it; nothing else in a request says it."""

    tenant: str
    client: str
    scopes: frozenset[str]


NOBODY = Caller("", "", frozenset())  # at a public address
LOCAL = Caller("local", "command-line", frozenset(SCOPES))  # whoever can read var/ on this machine


def is_name(text: object) -> bool:
    """Return whether a tenant or a client may be called so.

    >>> is_name("bank-7"), is_name("bank/7"), is_name(7)
    (True, False, False)
    """
    return isinstance(text, str) and _NAME.fullmatch(text) is not None
