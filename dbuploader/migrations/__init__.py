"""The schema of the employment database, step by step."""

from alembic import command
from alembic.config import Config

from muster.database import Database


def migrate(database: Database) -> None:
    """Bring the schema up to date, in one transaction where the database can; repeatable.

    Raises DatabaseUnavailable.
    """
    config = Config()
    config.set_main_option("script_location", "dbuploader:migrations")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
