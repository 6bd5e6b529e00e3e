"""The SQL on the declared tables, and the schema of the tables that only the loader knows.

SQL that one stage alone needs is in that stage: `uploads/ledger.py`, `batches/idempotency.py`.
Imports no other folder of this service.
"""

from sqlalchemy import inspect

from dbuploader.db.schema import ledger
from muster.database import Database, DatabaseUnavailable


def check_schema(database: Database) -> None:
    """Return if the database answers and is migrated; raises DatabaseUnavailable."""
    with database.read() as connection:
        if not inspect(connection).has_table(ledger.name):
            raise DatabaseUnavailable("the employment database is not migrated yet")
