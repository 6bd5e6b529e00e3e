"""The loader's SQL: everything it asks of the employment database and writes to it."""

from sqlalchemy import inspect

from dbuploader.repository import schema
from muster.database import Database, DatabaseUnavailable


def check_schema(database: Database) -> None:
    """Return if the database answers and is migrated; raises DatabaseUnavailable."""
    with database.read() as connection:
        if not inspect(connection).has_table(schema.ledger.name):
            raise DatabaseUnavailable("the employment database is not migrated yet")
