"""What is listed of quotes, in a table of their own; those recorded before are listed too."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from serving.ledger.listing import FACTS, Facts
from serving.ledger.migrations.versions import v0001_ledger as before
from serving.ledger.migrations.versions.v0002_tenants import SEEN

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

WHOLE = before.WHOLE
CHUNK = 1000
LISTED = ("tenant", "created_us", "seq", "quote_id", *FACTS)
OPEN = "NEW.reference IS NOT NULL OR NEW.amount IS NOT NULL OR NEW.grade IS NOT NULL"
FIXED = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in LISTED if name not in FACTS[-3:])
INCOMING = """
CREATE VIEW incoming AS
SELECT entry.*, private.reference, private.salt, private.request AS asked, private.reply,
       q.instrument, q.model, q.figure, q.hundredths, q.rate, q.amount, q.grade, head.edge
    FROM entry JOIN private USING (seq) JOIN quote_index q USING (seq) JOIN head
"""
ROW = """
CREATE TRIGGER incoming_row INSTEAD OF INSERT ON incoming BEGIN
    INSERT INTO entry VALUES (NEW.seq, NEW.quote_id, NEW.tenant, NEW.idem_key, NEW.kind,
                              NEW.request, NEW.body, NEW.leaf, NEW.created_us);
    INSERT INTO private SELECT NEW.seq, NEW.tenant, NEW.reference, NEW.salt, NEW.asked, NEW.reply
        WHERE NEW.salt IS NOT NULL;
    INSERT INTO quote_index SELECT NEW.tenant, NEW.created_us, NEW.seq, NEW.quote_id,
        NEW.instrument, NEW.model, NEW.figure, NEW.hundredths, NEW.rate, NEW.reference,
        NEW.amount, NEW.grade WHERE NEW.instrument IS NOT NULL;
    UPDATE head SET size = NEW.seq + 1, edge = NEW.edge WHERE NEW.edge IS NOT NULL;
END
"""
SQLITE_KEPT = f"""
CREATE TRIGGER quote_index_no_update BEFORE UPDATE ON quote_index WHEN {OPEN} OR {FIXED}
BEGIN SELECT RAISE(ABORT, 'what the ledger holds is not altered'); END
"""
POSTGRES_KEPT = f"""
CREATE TRIGGER quote_index_kept BEFORE UPDATE ON quote_index FOR EACH ROW
WHEN ({OPEN} OR {FIXED.replace("IS NOT OLD", "IS DISTINCT FROM OLD")})
EXECUTE FUNCTION kept_for_ever()
"""


def upgrade() -> None:
    """Make the table, and list what was recorded before."""
    op.create_table(
        "quote_index",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("created_us", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("quote_id", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("figure", sa.Text),
        sa.Column("hundredths", WHOLE),
        sa.Column("rate", sa.Text),
        sa.Column("reference", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")),
        sa.Column("amount", WHOLE),
        sa.Column("grade", WHOLE),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("quote_index_reference", "quote_index", ["tenant", "reference"])
    _list_what_is_there(op.get_bind())
    if before.postgres():
        op.execute(POSTGRES_KEPT)
        op.execute("ALTER TABLE quote_index ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON quote_index FOR SELECT USING ({SEEN})")
        op.execute("CREATE POLICY appended ON quote_index FOR INSERT WITH CHECK (true)")
        return
    op.execute(SQLITE_KEPT)
    op.execute("DROP VIEW incoming")  # and with it its trigger
    op.execute(INCOMING)
    op.execute(ROW)


def downgrade() -> None:
    """Remove the table."""
    if not before.postgres():
        op.execute("DROP VIEW incoming")
        view, trigger = before.SQLITE.split(";\n", 1)
        op.execute(view)
        op.execute(trigger.strip())
    op.drop_table("quote_index")


def _list_what_is_there(connection: sa.Connection) -> None:
    """List quotes that were recorded before there was a list."""
    names = ", ".join(LISTED)
    insert = sa.text(
        f"INSERT INTO quote_index ({names}) VALUES ({', '.join(f':{name}' for name in LISTED)})"
    )
    page = sa.text(
        "SELECT e.seq, e.quote_id, e.tenant, e.created_us, e.body, p.reference, p.reply "
        "FROM entry e LEFT JOIN private p ON p.seq = e.seq "
        "WHERE e.kind = 'quote' AND e.seq > :at ORDER BY e.seq LIMIT :most"
    )
    at = -1
    while rows := connection.execute(page, {"at": at, "most": CHUNK}).all():
        connection.execute(insert, [_row(row) for row in rows])
        at = rows[-1].seq


def _row(row: Any) -> dict[str, object]:
    reply = None if row.reply is None else orjson.loads(row.reply)
    facts = Facts.of(orjson.loads(row.body), row.reference, reply)
    where = (row.tenant, row.created_us, row.seq, row.quote_id)
    return dict(zip(LISTED, (*where, *facts.values), strict=True))
