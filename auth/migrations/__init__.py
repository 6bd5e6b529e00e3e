"""The schema's history, and its way to the newest version: `python -m auth.migrations`."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    with database.write() as connection, _alone(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        # The write transaction keeps the others out.
        yield
        return
    # MySQL commits at each DDL statement, so there a transaction keeps nobody out.
    get_lock = text("SELECT GET_LOCK(:name, :seconds)")
    if connection.scalar(get_lock, {"name": _LOCK, "seconds": _LOCK_SECONDS}) != 1:
        raise DatabaseUnavailable("another migration does not end")
    try:
        yield
    finally:
        connection.execute(text("DO RELEASE_LOCK(:name)"), {"name": _LOCK})
