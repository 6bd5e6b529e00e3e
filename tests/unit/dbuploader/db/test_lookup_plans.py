"""Lookups by key cost the same, however many rows a table has."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Connection, event, insert

from dbuploader.db.lookup import (
    count_locked,
    existing_keys,
    find_rows_of,
    has_key_between,
    key_range,
)
from dbuploader.migrations import migrate
from muster.contracts.tables import get_table
from muster.contracts.tables.sql import sql_table
from muster.database import Database, open_database
from tests.servers.templates import migrate_by_template

HIRES = get_table("hired_employees")
LOOKUPS: dict[str, Callable[[Connection], object]] = {
    "key_range": lambda connection: key_range(connection, HIRES),
    "has_key_between": lambda connection: has_key_between(connection, HIRES, 5, 50),
    "rows between keys": lambda connection: find_rows_of(
        connection, HIRES, pa.array([1, 2, 3]), lock=False
    ),
    "rows of keys": lambda connection: find_rows_of(
        connection, HIRES, pa.array([1, 20_000, 3_000_000]), lock=True
    ),
    "existing_keys": lambda connection: existing_keys(connection, HIRES.name, [3, 70, 900]),
    "count_locked": lambda connection: count_locked(connection, HIRES.name, [3, 70, 900]),
}


def plans(database: Database, lookup: Callable[[Connection], object]) -> list[dict[str, Any]]:
    """The steps by which the database executes what the lookup asks for."""
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if HIRES.name in statement:
            statements.append((statement, values))

    with database.write() as connection:
        event.listen(database.engine, "before_cursor_execute", record)
        lookup(connection)
        event.remove(database.engine, "before_cursor_execute", record)
        is_sqlite = connection.dialect.name == "sqlite"
        # MySQL 9 has another format by default.
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN FORMAT=TRADITIONAL"
        return [
            dict(step)
            for statement, values in statements
            for step in connection.exec_driver_sql(f"{explain} {statement}", values).mappings()
        ]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        migrate_by_template(database, migrate)
        yield database


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_a_lookup_reads_no_table_from_end_to_end_on_sqlite(tmp_path: Path, lookup: str) -> None:
    with closing(open_database(f"sqlite:///{tmp_path}/employment.db")) as database:
        migrate_by_template(database, migrate)
        steps = [step["detail"] for step in plans(database, LOOKUPS[lookup])]
    assert any(HIRES.name in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN") and HIRES.name in step] == []


def test_the_range_of_keys_is_read_from_the_ends_of_the_index_on_mysql(
    mysql_database_url: str,
) -> None:
    # Not the other lookups: of a table with few rows MySQL reads all.
    with closing(open_database(mysql_database_url)) as database:
        migrate_by_template(database, migrate)
        steps = plans(database, LOOKUPS["key_range"])
    assert steps
    assert [step for step in steps if step["type"] in ("ALL", "index")] == []


def test_the_least_and_the_greatest_key_are_found(database: Database) -> None:
    jobs = get_table("jobs")
    with database.write() as connection:
        assert key_range(connection, jobs) is None
        rows = [{"id": key, "job": f"job {key}"} for key in (7, 3, 5)]
        connection.execute(insert(sql_table("jobs")), rows)
        assert key_range(connection, jobs) == (3, 7)
