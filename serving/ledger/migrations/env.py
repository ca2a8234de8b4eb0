"""Alembic's way in: it runs the changes over the connection that serving/ledger/migrate.py has."""

from __future__ import annotations

from alembic import context

from serving.ledger.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
