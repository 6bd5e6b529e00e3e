"""Databases as a migration leaves them, without the migration: hundreds of tests begin with one.

The first of each kind is migrated. What it then holds is read from it, and made again for the next.
On a server it takes longer to make and drop two dozen tables than most tests take, so that tests
there may have one after the other the same, emptied.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from sqlalchemy import Connection, inspect, text

from muster.database import Database, DatabaseUnavailable
from tests.servers.mariadb import made_database

Row = tuple[str, dict[str, Any]]
"""The table and the row."""

_TEMPLATES: dict[tuple[str, str], "_Template"] = {}


@dataclass(frozen=True)
class _Template:
    tables: frozenset[str]
    statements: Sequence[str]
    """What makes them."""
    rows: Sequence[Row]
    """What is in them."""
    numbered: frozenset[str] = frozenset()
    """The tables whose rows the server numbers."""


def migrate_by_template(database: Database, migrate: Callable[[Database], None]) -> None:
    """As `migrate(database)`; only an empty one is made by the template."""
    kind = (database.engine.dialect.name, migrate.__module__)
    template = _TEMPLATES.get(kind)
    with database.read() as connection:
        names = inspect(connection).get_table_names()
    if template is None or (names and template.tables != {*names}):
        migrate(database)
        if not names:
            with database.read() as connection:
                _TEMPLATES[kind] = _template_of(connection)
    elif not names:
        with database.write() as connection:
            for statement in template.statements:
                connection.exec_driver_sql(statement)
            fill(connection, template.rows)


class ReusedDatabases:
    """Databases of a server that tests have one after the other, each as it was migrated."""

    def __init__(self, server_url: str, administrator: Database) -> None:
        self._server_url = server_url
        self._administrator = administrator
        self._dropped_at_the_end = ExitStack()
        self._free: dict[str, list[str]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dropped_at_the_end.close()

    @contextmanager
    def one(self, migrations: str) -> Iterator[str]:
        """The URL of a database that is empty, or is as the module of migrations leaves it."""
        free = self._free[migrations]
        url = free.pop() if free else self._new()
        yield url
        try:
            if self._empty(urlsplit(url).path[1:], _TEMPLATES.get(("mysql", migrations))):
                free.append(url)
        except DatabaseUnavailable:
            # A test left a transaction behind. This one is not used again.
            return

    def _new(self) -> str:
        made = made_database(self._server_url, self._administrator)
        return self._dropped_at_the_end.enter_context(made)

    def _empty(self, name: str, template: _Template | None) -> bool:
        """Whether it is as the template has it now."""
        with self._administrator.write() as connection:
            names = {*inspect(connection).get_table_names(schema=name)}
            if not names:
                return True
            if template is None or names != template.tables:
                return False
            connection.exec_driver_sql("SET innodb_lock_wait_timeout = 5, lock_wait_timeout = 5")
            filled = " UNION ALL ".join(
                f"SELECT '{table}' FROM DUAL WHERE EXISTS (SELECT 1 FROM `{name}`.{table})"
                for table in template.tables
            )
            with unordered(connection):
                for table in connection.exec_driver_sql(filled).scalars().all():
                    # That takes longer, and numbers the rows from 1 again.
                    way = "TRUNCATE" if table in template.numbered else "DELETE FROM"
                    connection.exec_driver_sql(f"{way} `{name}`.{table}")
            fill(connection, template.rows, f"`{name}`.")
        return True


def rows_in(connection: Connection) -> list[Row]:
    """All rows of all tables."""
    return [
        (name, {str(column): value for column, value in found.items()})
        for name in inspect(connection).get_table_names()
        for found in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()
    ]


def fill(connection: Connection, rows: Sequence[Row], database: str = "") -> None:
    """Insert the rows, in whichever order of their foreign keys."""
    with unordered(connection):
        for table, row in rows:
            # A column may be called as a word of SQL is.
            columns = ", ".join(map(connection.dialect.identifier_preparer.quote, row))
            places = ", ".join(f":{column}" for column in row)
            insert = f"INSERT INTO {database}{table} ({columns}) VALUES ({places})"
            connection.execute(text(insert), row)


@contextmanager
def unordered(connection: Connection) -> Iterator[None]:
    """Rows may come and go in whichever order of their foreign keys."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        yield
        return
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    yield
    connection.exec_driver_sql("SET foreign_key_checks = 1")


def _template_of(connection: Connection) -> _Template:
    names = inspect(connection).get_table_names()
    tables, rows = frozenset(names), rows_in(connection)
    if connection.dialect.name == "sqlite":
        made_by = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        return _Template(tables, connection.exec_driver_sql(made_by).scalars().all(), rows)
    made = {
        name: connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1] for name in names
    }
    off, on = "SET foreign_key_checks = 0", "SET foreign_key_checks = 1"
    numbered = frozenset(name for name in names if "AUTO_INCREMENT" in made[name])
    return _Template(tables, [off, *made.values(), on], rows, numbered)
