"""The ledger's first tables, and what keeps their rows from being altered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOR_EVER = ("entry", "tile", "checkpoint")
# One statement a batch is one transaction, and one hand-over of Python's lock: so SQLite takes a
# batch through a view. The edge comes with the last row of a batch alone.
SQLITE = """
CREATE VIEW incoming AS
SELECT entry.*, private.reference, private.salt, private.request AS asked, private.reply,
       head.edge FROM entry JOIN private USING (seq) JOIN head;
CREATE TRIGGER incoming_row INSTEAD OF INSERT ON incoming BEGIN
    INSERT INTO entry VALUES (NEW.seq, NEW.quote_id, NEW.tenant, NEW.idem_key, NEW.kind,
                              NEW.request, NEW.body, NEW.leaf, NEW.created_us);
    INSERT INTO private SELECT NEW.seq, NEW.tenant, NEW.reference, NEW.salt, NEW.asked, NEW.reply
        WHERE NEW.salt IS NOT NULL;
    UPDATE head SET size = NEW.seq + 1, edge = NEW.edge WHERE NEW.edge IS NOT NULL;
END;
"""
POSTGRES = """
CREATE FUNCTION kept_for_ever() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what the ledger holds is not altered'; END $$
"""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entry",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("quote_id", sa.Text, nullable=False, unique=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("idem_key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("created_us", WHOLE, nullable=False),
        sa.UniqueConstraint("tenant", "idem_key", name="entry_key"),
        sqlite_strict=True,
    )
    others = sa.text("kind <> 'quote'")
    op.create_index("entry_other", "entry", ["kind"], sqlite_where=others, postgresql_where=others)
    op.create_table(
        "private",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("reply", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("private_reference", "private", ["tenant", "reference"])
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("idx", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO head VALUES (0, 0, '')" if postgres() else SQLITE_HEAD)
    if postgres():
        _guard_postgres()
    else:
        _guard_sqlite()


SQLITE_HEAD = "INSERT INTO head VALUES (0, 0, x'')"


def downgrade() -> None:
    """Remove the tables, and all that they hold."""
    if postgres():
        for table in (*FOR_EVER, "private"):
            op.execute(f"DROP TRIGGER {table}_kept ON {table}")
        for table in FOR_EVER:
            op.execute(f"DROP TRIGGER {table}_not_emptied ON {table}")
        op.execute("DROP FUNCTION kept_for_ever")
    else:
        op.execute("DROP VIEW incoming")
    for table in ("checkpoint", "tile", "head", "private", "entry"):
        op.drop_table(table)


def postgres() -> bool:
    """Say whether this runs on PostgreSQL, and not on SQLite."""
    return op.get_bind().dialect.name == "postgresql"


def _guard_sqlite() -> None:
    for table in (*FOR_EVER, "private"):
        for act in ("UPDATE",) if table == "private" else ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'what the ledger holds is not altered'); END"
            )
    view, trigger = SQLITE.split(";\n", 1)
    op.execute(view)
    op.execute(trigger.strip())


def _guard_postgres() -> None:
    op.execute(POSTGRES)
    for table in (*FOR_EVER, "private"):
        acts = "UPDATE" if table == "private" else "UPDATE OR DELETE"
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE {acts} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION kept_for_ever()"
        )
    for table in FOR_EVER:
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION kept_for_ever()"
        )
