-- Roles of a ledger in PostgreSQL, none of which owns a table. As the owner of the tables, once:
--     SEEDRATE_LEDGER=postgresql://owner@db/ledger python -m serving ledger tables
--     psql -v ON_ERROR_STOP=1 -d ledger -f deploy/roles.sql
-- and give them passwords. What no line grants, nobody has: none of them changes or deletes a row,
-- and erasing belongs to the owner.

DO $$ BEGIN
    CREATE ROLE seedrate LOGIN;  -- the servers: append, and read one tenant at a time
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT SELECT, INSERT ON entry, private, quote_index, tile, checkpoint TO seedrate;
GRANT SELECT, UPDATE ON head TO seedrate;
GRANT SELECT ON leaves, alembic_version TO seedrate;

DO $$ BEGIN
    CREATE ROLE seedrate_auditor LOGIN;  -- `ledger verify`, `export`, `reprice`: read all, write nothing
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT SELECT ON entry, private, quote_index, tile, checkpoint, head, leaves, alembic_version TO seedrate_auditor;
DROP POLICY IF EXISTS audited ON entry;
DROP POLICY IF EXISTS audited ON private;
DROP POLICY IF EXISTS audited ON quote_index;
CREATE POLICY audited ON entry FOR SELECT TO seedrate_auditor USING (true);
CREATE POLICY audited ON private FOR SELECT TO seedrate_auditor USING (true);
CREATE POLICY audited ON quote_index FOR SELECT TO seedrate_auditor USING (true);
