"""The SQL tables are those of the declarations, for both kinds of database."""

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from muster.contracts.tables import StringColumn, Table, UnknownTable, get_table, tables
from muster.contracts.tables.sql import metadata, sql_table

DECLARED = pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)


def test_every_declared_table_is_an_sql_table() -> None:
    assert set(metadata.tables) == {*tables(), "hires_summary"}


def test_parents_come_before_the_tables_that_refer_to_them() -> None:
    seen: set[str] = set()
    for table in tables().values():
        assert {foreign.parent for foreign in table.foreign_keys} <= seen
        seen.add(table.name)


@DECLARED
def test_the_columns_are_those_declared_in_their_order(table: Table) -> None:
    columns = sql_table(table.name).columns
    assert tuple(columns.keys()) == table.column_names
    for column in table.columns:
        assert not columns[column.name].nullable
        if isinstance(column, StringColumn):
            assert columns[column.name].type.length == column.max_length  # type: ignore[attr-defined]


@DECLARED
def test_the_keys_are_those_declared(table: Table) -> None:
    made = sql_table(table.name)
    assert [column.name for column in made.primary_key] == [table.key]
    assert not made.c[table.key].autoincrement
    assert {(key.parent.name, key.column.table.name) for key in made.foreign_keys} == {
        (foreign.column, foreign.parent) for foreign in table.foreign_keys
    }


@DECLARED
def test_mysql_compares_texts_by_their_characters_and_keeps_microseconds(table: Table) -> None:
    statement = str(CreateTable(sql_table(table.name)).compile(dialect=mysql.dialect()))
    texts = [column for column in table.columns if column.type == "string"]
    times = [column for column in table.columns if column.type == "datetime"]
    # The table's own is one more.
    assert statement.count("COLLATE utf8mb4_bin") == len(texts) + 1
    assert statement.count("DATETIME(6)") == len(times)
    assert "AUTO_INCREMENT" not in statement


def test_the_schema_can_be_made_in_sqlite() -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    assert set(inspect(engine).get_table_names()) == set(metadata.tables)
    engine.dispose()


def test_an_unknown_table_names_those_that_are_declared() -> None:
    with pytest.raises(UnknownTable, match=", ".join(tables())):
        get_table("people")
