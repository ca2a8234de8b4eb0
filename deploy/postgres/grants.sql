-- What the servers' role may do in the ledger, once its owner has made the tables: append, and read.
-- Nothing lets it change or delete a row; erasing is the owner's.
GRANT SELECT, INSERT ON entry, private, tile, checkpoint TO seedrate;
GRANT SELECT ON alembic_version TO seedrate;
GRANT SELECT, UPDATE ON head TO seedrate;
