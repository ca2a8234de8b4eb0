"""Bring a database's tables to this version of the program, or back: Alembic, without its files."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

NEWEST = "0003"
FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Bring the tables to the newest version; a newer program's tables are refused.

    Raises:
        ValueError: the tables are of a version that this program does not know.
    """
    found = version(connection)
    if found == NEWEST:
        return
    known = [None, *(f"{number:04}" for number in range(1, int(NEWEST) + 1))]
    if found not in known:
        raise ValueError(f"the tables must be of version {NEWEST} or older, however: {found}")
    _run(connection, "upgrade", NEWEST)


def downgrade(connection: Connection, to: str) -> None:
    """Take the tables back to a version; `base` removes them."""
    _run(connection, "downgrade", to)


def version(connection: Connection) -> str | None:
    """Return the version of the tables; None if there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _run(connection: Connection, what: str, to: str) -> None:
    from alembic import command  # half a second, for what a start seldom needs
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    getattr(command, what)(config, to)
