"""The schema's history, and its way to the newest version: `python -m auth.migrations`."""

from alembic import command
from alembic.config import Config

from muster.database import Database


def migrate(database: Database) -> None:
    """Bring the schema to its newest version; a second call at the same time waits.

    Raises DatabaseUnavailable.
    """
    config = Config()
    config.set_main_option("script_location", "auth:migrations")
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
