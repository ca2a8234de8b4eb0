"""Rows by tenant: in PostgreSQL a role that is not the owner sees those of one tenant at a time."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("entry", "private")
# Hashes belong to nobody: the view has its owner's rights, so the tree is read whole.
LEAVES = "CREATE VIEW leaves AS SELECT seq, leaf FROM entry"
SEEN = "tenant IN ('(ledger)', current_setting('seedrate.tenant', true))"


def upgrade() -> None:
    """Show nobody a tenant's row unless the transaction names that tenant."""
    op.execute(LEAVES)
    if not postgres():
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} FOR SELECT USING ({SEEN})")
        op.execute(f"CREATE POLICY appended ON {table} FOR INSERT WITH CHECK (true)")


def downgrade() -> None:
    """Show all rows to whoever may read the tables."""
    op.execute("DROP VIEW leaves")
    if not postgres():
        return
    for table in TABLES:
        op.execute(f"DROP POLICY of_tenant ON {table}")
        op.execute(f"DROP POLICY appended ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def postgres() -> bool:
    """Say whether this runs on PostgreSQL, and not on SQLite."""
    return op.get_bind().dialect.name == "postgresql"
