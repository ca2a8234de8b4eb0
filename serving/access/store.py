"""The keys that were given out: digests of them, in a database of one table.

A key's secret is not in it: HMAC-SHA-256(pepper, secret) is, so that a copy of the database opens
nothing. A client has two slots, which a unique constraint guards: two live keys, so that one can
replace the other without a gap, and never a third.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from pricing.errors import InputError
from serving.access.credential import CredentialError, Why
from serving.access.key import Key
from serving.access.pepper import Pepper
from serving.postgres import AWAY

SLOTS = (1, 2)
TOUCH_SECONDS = 60  # between two notes of when a key was last used

TABLE = Table(
    "access_key",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("digest", LargeBinary, nullable=False),
    Column("slot", BigInteger, CheckConstraint("slot IN (1, 2)")),  # null: dead
    Column("created", BigInteger, nullable=False),  # this and the next in seconds since 1970
    Column("expires", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Column("used", BigInteger),
    UniqueConstraint("tenant", "client", "slot"),
)


@dataclass(frozen=True)
class KeyRecord:
    """What is known of a key; times are in seconds since 1970."""

    id: str
    tenant: str
    client: str
    scopes: frozenset[str]
    created: int
    expires: int
    revoked: int | None
    used: int | None

    def state(self, now: float) -> str:
        """Return `live`, `revoked` or `expired` at a time `now`, in seconds since 1970."""
        if self.revoked is not None:
            return "revoked"
        return "live" if now < self.expires else "expired"


@dataclass(frozen=True)
class KeyStore:
    """Makes, lists, revokes and checks keys."""

    url: str
    pepper: Path
    now: Callable[[], float]  # in seconds since 1970
    random_bytes: Callable[[int], bytes]

    def create(self, tenant: str, client: str, scopes: frozenset[str], expires: int) -> Key:
        """Return a new key of a client: the only time that its secret is seen.

        Args:
            tenant: whose data it opens.
            client: who holds it.
            scopes: what it may do.
            expires: in seconds since 1970.

        Raises:
            InputError: the client has two live keys.
        """
        key, now = Key.made(self.random_bytes), int(self.now())
        digest = Pepper.made(self.pepper, self.random_bytes).digest(key.secret)
        mine = (TABLE.c.tenant == tenant) & (TABLE.c.client == client)
        try:
            with self.engine.begin() as connection:
                lapsed = update(TABLE).where(mine & (TABLE.c.expires <= now)).values(slot=None)
                connection.execute(lapsed)
                taken = set(connection.scalars(select(TABLE.c.slot).where(mine)))
                connection.execute(
                    insert(TABLE).values(
                        id=key.id,
                        tenant=tenant,
                        client=client,
                        scopes=" ".join(sorted(scopes)),
                        digest=digest,
                        slot=next((slot for slot in SLOTS if slot not in taken), SLOTS[-1]),
                        created=now,
                        expires=expires,
                    )
                )
        except IntegrityError:
            expected = f"without {len(SLOTS)} live keys already (`python -m serving keys revoke`)"
            raise InputError.of("client", expected, f"{client} of {tenant}") from None
        return key

    def list(self) -> tuple[KeyRecord, ...]:
        """Return every key that was ever made, the oldest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(TABLE).order_by(TABLE.c.created, TABLE.c.id))
            return tuple(map(_record, rows))

    def revoke(self, key_id: str) -> KeyRecord:
        """Take a key away for good; return what is known of it.

        Raises:
            InputError: there is no such key.
        """
        here = TABLE.c.id == key_id
        with self.engine.begin() as connection:
            now = int(self.now())
            dead = update(TABLE).where(here & TABLE.c.revoked.is_(None))
            connection.execute(dead.values(revoked=now, slot=None))
            row = connection.execute(select(TABLE).where(here)).first()
        if row is None:
            raise InputError.of("key", "the id of a key (`python -m serving keys list`)", key_id)
        return _record(row)

    def check(self, text: str) -> KeyRecord:
        """Return what is known of a live key.

        Raises:
            CredentialError: it opens nothing.
        """
        key = Key.read(text)
        if key is None:
            raise CredentialError(Why.MALFORMED)
        pepper = Pepper.read(self.pepper)
        with self.engine.connect() as connection:
            row = connection.execute(select(TABLE).where(TABLE.c.id == key.id)).first()
        if row is None or pepper is None:
            raise CredentialError(Why.UNKNOWN, key_id=key.id)
        if not hmac.compare_digest(pepper.digest(key.secret), row.digest):
            raise CredentialError(Why.WRONG_SECRET, key_id=key.id)
        record = _record(row)
        state = record.state(self.now())
        if state != "live":
            whose = {"key_id": record.id, "tenant": record.tenant, "client": record.client}
            raise CredentialError(Why.REVOKED if state == "revoked" else Why.EXPIRED, **whose)
        return record

    def find(self, key_id: str) -> KeyRecord | None:
        """Return what is known of a key, live or not."""
        with self.engine.connect() as connection:
            row = connection.execute(select(TABLE).where(TABLE.c.id == key_id)).first()
        return None if row is None else _record(row)

    def touch(self, record: KeyRecord) -> None:
        """Note that a key is in use, once a minute at most."""
        now = int(self.now())
        if record.used is None or now - record.used >= TOUCH_SECONDS:
            with self.engine.begin() as connection:
                connection.execute(update(TABLE).where(TABLE.c.id == record.id).values(used=now))

    @property
    def remote(self) -> bool:
        """Return whether a question takes a way over the network."""
        return self._file is None

    def revision(self) -> int:
        """Return a number that changes with every change to a SQLite file; 0 for a server."""
        if self._file is None:
            return 0
        try:
            return os.stat(self._file).st_mtime_ns
        except OSError:
            return 0

    def close(self) -> None:
        """Let the database go."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    @cached_property
    def _file(self) -> str | None:
        url = make_url(self.url)
        return url.database if url.get_backend_name() == "sqlite" else None

    @cached_property
    def engine(self) -> Engine:
        """Return the way to the database; the table is made where it is absent."""
        if self._file is not None:
            path = Path(self._file)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        postgres = make_url(self.url).get_backend_name() == "postgresql"
        engine = create_engine(
            self.url,
            pool_pre_ping=self.remote,
            hide_parameters=True,
            connect_args=AWAY if postgres else {},
        )
        with engine.begin() as connection:
            connection.execute(CreateTable(TABLE, if_not_exists=True))
        return engine


def _record(row: Row[tuple[object, ...]]) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        tenant=row.tenant,
        client=row.client,
        scopes=frozenset(row.scopes.split()),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        used=row.used,
    )
