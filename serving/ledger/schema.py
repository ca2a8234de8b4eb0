"""The tables of the ledger, the same in SQLite and in PostgreSQL.

entry       what was recorded, for ever: neither changed nor deleted (triggers see to that)
private     what may be erased of an entry: the salt, the request, the reply
head        one row: how many entries there are, and the right edge of their tree
tile        full tiles of the tree, with their roots
checkpoint  every checkpoint that was ever signed
leaves      a view: the leaf of every entry, whose ever it is

In PostgreSQL whoever is not the owner sees entries and private parts of one tenant at a time.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
    text,
)

METADATA = MetaData()
WHOLE = BigInteger().with_variant(Integer(), "sqlite")  # there an INTEGER has 64 bits

ENTRY = Table(
    "entry",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=False),  # dense from 0: the leaf's index
    Column("quote_id", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("idem_key", Text, nullable=False),
    Column("kind", Text, nullable=False),  # quote, key, erased, audit
    Column("request", LargeBinary, nullable=False),  # the commitment to the request
    Column("body", LargeBinary, nullable=False),  # canonical, exactly as hashed
    Column("leaf", LargeBinary, nullable=False),
    Column("created_us", WHOLE, nullable=False),
    UniqueConstraint("tenant", "idem_key", name="entry_key"),
    Index(
        "entry_other",
        "kind",
        sqlite_where=text("kind <> 'quote'"),
        postgresql_where=text("kind <> 'quote'"),
    ),
    sqlite_strict=True,
)
PRIVATE = Table(
    "private",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("reference", Text),
    Column("salt", LargeBinary, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("reply", LargeBinary, nullable=False),
    Index("private_reference", "tenant", "reference"),
    sqlite_strict=True,
)
HEAD = Table(
    "head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 0
    Column("size", WHOLE, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    sqlite_strict=True,
)
TILE = Table(
    "tile",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", WHOLE, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    sqlite_strict=True,
)
CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("size", WHOLE, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)

LEAVES = table("leaves", column("seq"), column("leaf"))
FOR_EVER = ("entry", "tile", "checkpoint")  # neither changed nor deleted
INCOMING = (
    "seq", "quote_id", "tenant", "idem_key", "kind", "request", "body", "leaf", "created_us",
    "reference", "salt", "asked", "reply", "edge",
)  # fmt: skip
