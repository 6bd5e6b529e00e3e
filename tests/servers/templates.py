"""Databases as a migration leaves them, without the migration: hundreds of tests begin with one.

The first of each kind is migrated. What it then holds is read from it, and made again for the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect, text

from muster.database import Database

_TEMPLATES: dict[tuple[str, str], "_Template"] = {}


@dataclass(frozen=True)
class _Template:
    statements: Sequence[str]
    rows: Sequence[tuple[str, dict[str, Any]]]


def migrate_by_template(database: Database, migrate: Callable[[Database], None]) -> None:
    """As `migrate(database)`; only an empty one is made by the template."""
    kind = (database.engine.dialect.name, migrate.__module__)
    with database.read() as connection:
        is_empty = not inspect(connection).get_table_names()
    if not is_empty or kind not in _TEMPLATES:
        migrate(database)
        if is_empty:
            with database.read() as connection:
                _TEMPLATES[kind] = _template_of(connection)
        return
    template = _TEMPLATES[kind]
    with database.write() as connection:
        for statement in template.statements:
            connection.exec_driver_sql(statement)
        for insert, row in template.rows:
            connection.execute(text(insert), row)


def _template_of(connection: Connection) -> _Template:
    names = inspect(connection).get_table_names()
    rows = []
    for name in names:
        for found in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings():
            row = {str(column): value for column, value in found.items()}
            columns, places = ", ".join(row), ", ".join(f":{column}" for column in row)
            rows.append((f"INSERT INTO {name} ({columns}) VALUES ({places})", row))
    if connection.dialect.name == "sqlite":
        made_by = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        return _Template(connection.exec_driver_sql(made_by).scalars().all(), rows)
    made = [connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1] for name in names]
    off, on = "SET foreign_key_checks = 0", "SET foreign_key_checks = 1"
    return _Template([off, *made, on], rows)
