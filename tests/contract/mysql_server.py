"""A table to write to on a private MariaDB, which a test may kill."""

from collections.abc import Sequence
from contextlib import closing

from muster.database import Database, open_database
from tests.servers.mariadb import MariaServer, run


def prepare(server: MariaServer) -> None:
    """A database `service` with an empty table `notes`."""
    with closing(open_database(server.url("mysql"))) as administrator:
        run(administrator, "DROP DATABASE IF EXISTS service")
        run(administrator, "CREATE DATABASE service")
        run(administrator, "CREATE TABLE service.notes (id INTEGER PRIMARY KEY, text TEXT)")


def note(database: Database, number: int) -> None:
    """Add a note."""
    run(database, f"INSERT INTO notes VALUES ({number}, 'a note')")


def noted(database: Database) -> Sequence[int]:
    """The notes that are there."""
    with database.read() as connection:
        return connection.exec_driver_sql("SELECT id FROM notes ORDER BY id").scalars().all()
