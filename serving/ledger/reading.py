"""What is read of a ledger, over SQLAlchemy: the same queries for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, Row, Select, and_, func, select

from serving.ledger import listing
from serving.ledger.entry import Kept, Private
from serving.ledger.listing import FACTS, Listed, Place, Sought
from serving.ledger.schema import CHECKPOINT, ENTRY, HEAD, LEAVES, PRIVATE, QUOTE_INDEX, TILE
from serving.ledger.tree import Edge, ProofError

CHUNK = 2000  # rows of a page
_KEPT = select(
    ENTRY.c.seq,
    ENTRY.c.quote_id,
    ENTRY.c.request,
    ENTRY.c.body,
    PRIVATE.c.reference,
    PRIVATE.c.salt,
    PRIVATE.c.request.label("asked"),
    PRIVATE.c.reply,
    ENTRY.c.idem_key,
).join_from(ENTRY, PRIVATE, ENTRY.c.seq == PRIVATE.c.seq, isouter=True)
_SAME = and_(
    QUOTE_INDEX.c.tenant == ENTRY.c.tenant,
    QUOTE_INDEX.c.created_us == ENTRY.c.created_us,
    QUOTE_INDEX.c.seq == ENTRY.c.seq,
)


class Reader:
    """Reads a ledger; never writes to it."""

    def __init__(self, engine: Engine) -> None:
        """Read over an engine."""
        self._engine = engine

    def head(self) -> Edge:
        """Return the size of the log and the right edge of its tree.

        Raises:
            ProofError: it is not one, or has not as many hashes as its size asks for.
        """
        rows = self._all(select(HEAD.c.id, HEAD.c.size, HEAD.c.edge))
        if [row.id for row in rows] != [0]:
            raise ProofError(f"the head must be one row, number 0, however: {len(rows)}")
        return Edge.unpacked(rows[0].size, rows[0].edge)

    def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""
        query = _KEPT.where(ENTRY.c.quote_id == quote_id, ENTRY.c.tenant == tenant)
        found = [kept(row) for row in self._all(query, tenant)]
        return found[0] if found else None

    def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""
        query = _KEPT.where(ENTRY.c.tenant == tenant, ENTRY.c.idem_key.in_(keys))
        return {row.idem_key: kept(row) for row in self._all(query, tenant)}

    def leaves(self, low: int, high: int) -> list[bytes]:
        """Return the leaves from low to before high."""
        query = select(LEAVES.c.leaf).where(LEAVES.c.seq >= low, LEAVES.c.seq < high)
        return [row.leaf for row in self._all(query.order_by(LEAVES.c.seq))]

    def tile(self, level: int, index: int) -> bytes | None:
        """Return a full tile; None if it is not stored."""
        query = select(TILE.c.data).where(TILE.c.level == level, TILE.c.idx == index)
        found = self._all(query)
        return found[0].data if found else None

    def roots(self, level: int, low: int, high: int) -> list[bytes]:
        """Return the roots of full tiles from low to before high, up to the first not stored."""
        query = select(TILE.c.idx, TILE.c.root).where(TILE.c.level == level)
        query = query.where(TILE.c.idx >= low, TILE.c.idx < high).order_by(TILE.c.idx)
        rows = self._all(query)
        return [row.root for at, row in enumerate(rows) if row.idx == low + at]

    def tiles(self) -> list[tuple[int, int]]:
        """Return the places of all tiles that are stored."""
        return [(row.level, row.idx) for row in self._all(select(TILE.c.level, TILE.c.idx))]

    def checkpoint(self, most: int | None = None) -> str | None:
        """Return the newest checkpoint, or the newest of at most a size."""
        query = select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(1)
        found = self._all(query if most is None else query.where(CHECKPOINT.c.size <= most))
        return found[0].note if found else None

    def checkpoints(self) -> dict[int, str]:
        """Return every checkpoint, by size."""
        query = select(CHECKPOINT.c.size, CHECKPOINT.c.note)
        return {row.size: row.note for row in self._all(query)}

    def signed(self, before: int | None, most: int) -> list[str]:
        """Return checkpoints of sizes below one, the newest first; None: from the newest on."""
        query = select(CHECKPOINT.c.note).order_by(CHECKPOINT.c.size.desc()).limit(most)
        found = self._all(query if before is None else query.where(CHECKPOINT.c.size < before))
        return [row.note for row in found]

    def bodies(self, low: int, high: int) -> dict[int, bytes]:
        """Return the bodies of entries from low to before high, by number; those we may read."""
        query = select(ENTRY.c.seq, ENTRY.c.body).where(ENTRY.c.seq >= low, ENTRY.c.seq < high)
        return {row.seq: row.body for row in self._all(query)}

    def others(self, kind: str, low: int = 0) -> list[bytes]:
        """Return the bodies of entries of another kind than quotes, in order, from `low` on."""
        query = select(ENTRY.c.body).where(ENTRY.c.kind == kind, ENTRY.c.kind != "quote")
        query = query.where(ENTRY.c.seq >= low) if low else query
        return [row.body for row in self._all(query.order_by(ENTRY.c.seq))]

    def rows(self) -> Iterator[Row[Any]]:
        """Give every entry in order, with what is private beside it."""
        query = (
            select(
                ENTRY,
                PRIVATE.c.tenant.label("private_tenant"),
                PRIVATE.c.reference,
                PRIVATE.c.salt,
                PRIVATE.c.request.label("asked"),
                PRIVATE.c.reply,
                QUOTE_INDEX.c.quote_id.label("listed_id"),
                *(QUOTE_INDEX.c[name].label(f"listed_{name}") for name in FACTS),
            )
            .join_from(ENTRY, PRIVATE, ENTRY.c.seq == PRIVATE.c.seq, isouter=True)
            .join(QUOTE_INDEX, _SAME, isouter=True)
        )
        at = -1
        while page := self._all(query.where(ENTRY.c.seq > at).order_by(ENTRY.c.seq).limit(CHUNK)):
            yield from page
            at = page[-1].seq

    def strays(self) -> int:
        """Return the number of private rows that belong to no entry."""
        alone = select(func.count()).select_from(PRIVATE)
        row = self._one(alone.where(PRIVATE.c.seq.not_in(select(ENTRY.c.seq))))
        return int(row[0])

    def unlisted(self) -> int:
        """Return the number of rows of the list that belong to no entry."""
        alone = select(func.count()).select_from(QUOTE_INDEX.join(ENTRY, _SAME, isouter=True))
        row = self._one(alone.where(ENTRY.c.seq.is_(None)))
        return int(row[0])

    def quotes(
        self, tenant: str, sought: Sought, than: Place | None, most: int, *, newer: bool = False
    ) -> list[Listed]:
        """Return quotes older than a place, the newest first; or those newer, the oldest first."""
        query = listing.older(tenant, sought, than, most, newer=newer)
        return [listing.listed(row) for row in self._all(query, tenant)]

    def count(self, tenant: str, sought: Sought) -> int:
        """Return how many quotes there are, up to one more than `listing.MOST_COUNTED`."""
        return int(self._all(listing.counted(tenant, sought), tenant)[0][0])

    def replies(self, tenant: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the replies of entries of a tenant by their number, without those erased."""
        query = select(PRIVATE.c.seq, PRIVATE.c.reply).where(PRIVATE.c.tenant == tenant)
        return {row.seq: row.reply for row in self._all(query.where(PRIVATE.c.seq.in_(seqs)))}

    def subjects(self, tenant: str, reference: str) -> list[int]:
        """Return the entries of a tenant that carry a reference, and are not erased."""
        query = select(PRIVATE.c.seq).where(PRIVATE.c.tenant == tenant)
        return [row.seq for row in self._all(query.where(PRIVATE.c.reference == reference))]

    def older(self, before_us: int) -> list[int]:
        """Return the entries that were recorded before a time, and are not erased."""
        query = select(PRIVATE.c.seq).join_from(PRIVATE, ENTRY, ENTRY.c.seq == PRIVATE.c.seq)
        return [row.seq for row in self._all(query.where(ENTRY.c.created_us < before_us))]

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def _all(self, query: Select[Any], tenant: str = "") -> Sequence[Row[Any]]:
        """Return rows; a role that may see one tenant's alone must say whose, for a transaction."""
        with self._engine.connect() as connection:
            if tenant and connection.dialect.name == "postgresql":
                connection.execute(select(func.set_config("seedrate.tenant", tenant, True)))
            return connection.execute(query).all()

    def _one(self, query: Select[Any]) -> Row[Any]:
        with self._engine.connect() as connection:
            return connection.execute(query).one()


def kept(row: Any) -> Kept:
    """Return a row of an entry and what is private beside it."""
    seq, quote_id, request, body, reference, salt, asked, reply = row[:8]
    private = None if salt is None else Private(reference, salt, asked, reply)
    return Kept(seq, quote_id, request, body, private)
