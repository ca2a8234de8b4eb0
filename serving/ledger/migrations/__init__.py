"""How the ledger's tables came to be, and can go: Alembic's folder."""
