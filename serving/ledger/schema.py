"""The tables of the ledger, the same in SQLite and in PostgreSQL.

entry       what was recorded, for ever: neither changed nor deleted (triggers see to that)
private     what may be erased of an entry: the salt, the request, the reply
quote_index what is listed of quotes: it follows from the two above (serving/ledger/listing.py)
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
BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")  # so that a beginning is a range

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
QUOTE_INDEX = Table(  # in the order in which people read: a tenant's, by time
    "quote_index",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("created_us", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("quote_id", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("figure", Text),
    Column("hundredths", WHOLE),  # of the figure, in 0.01 bp
    Column("rate", Text),
    Column("reference", BYTEWISE),  # this and the next two are private: null once erased
    Column("amount", WHOLE),
    Column("grade", WHOLE),
    Index("quote_index_reference", "tenant", "reference"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
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
    "reference", "salt", "asked", "reply",
    "instrument", "model", "figure", "hundredths", "rate", "amount", "grade", "edge",
)  # fmt: skip
