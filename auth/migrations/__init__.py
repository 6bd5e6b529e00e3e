"""The schema's history, and its way to the newest version: `python -m auth.migrations`."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from muster.database import Database, DatabaseUnavailable

_LOCK = "muster-auth-migrations"
_LOCK_SECONDS = 60


def migrate(database: Database) -> None:
    """Bring the schema to its newest version; a second call at the same time waits.

    Raises DatabaseUnavailable.
    """
    config = Config()
    config.set_main_option("script_location", "auth:migrations")
    with database.write() as connection:
        _wait_for_others(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _wait_for_others(connection: Connection) -> None:
    # MySQL commits at each DDL statement, so its transaction keeps nobody out as SQLite's does.
    # The lock ends with the connection's use: the caller closes the database after the upgrade.
    if connection.dialect.name != "sqlite":
        wait = text("SELECT GET_LOCK(:name, :seconds)")
        got = connection.execute(wait, {"name": _LOCK, "seconds": _LOCK_SECONDS}).scalar()
        if got != 1:
            raise DatabaseUnavailable("another migration does not end")
