"""The schema of the employment database, step by step."""

from alembic import command
from alembic.config import Config

from muster.database import Database


def migrate(database: Database) -> None:
    """Bring the schema up to date; a second call at the same time waits.

    Raises DatabaseUnavailable.
    """
    config = Config()
    config.set_main_option("script_location", "dbuploader:migrations")
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
