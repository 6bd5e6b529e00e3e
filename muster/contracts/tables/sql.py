"""The declared tables as SQL, for both kinds of employment database."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from muster.contracts import tables as declared

metadata = MetaData()

# Whatever the database was created with. The server counts rows on request: on its own it would
# count again and again while a large load fills a table.
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_stats_auto_recalc": "0",
}


def sql_table(name: str) -> Table:
    """The SQL table of the declared table `name`."""
    return metadata.tables[name]


def _define(table: declared.Table) -> None:
    parents = {
        foreign.column: f"{foreign.parent}.{declared.get_table(foreign.parent).key}"
        for foreign in table.foreign_keys
    }
    columns: list[Column[Any]] = []
    for column in table.columns:
        references = [ForeignKey(parents[column.name])] if column.name in parents else []
        columns.append(
            Column(
                column.name,
                _type_of(column),
                *references,
                primary_key=column.name == table.key,
                autoincrement=False if column.name == table.key else "auto",
                nullable=False,
                index=column.name in parents or None,
            )
        )
    Table(table.name, metadata, *columns, **_MYSQL)


def _type_of(column: declared.Column) -> TypeEngine[Any]:
    match column:
        case declared.IntegerColumn():
            return Integer() if column.fits_32_bits else BigInteger()
        case declared.DatetimeColumn():
            return DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
        case declared.StringColumn():
            length = column.max_length
            # Equality must be that of the characters: no case, accent or padding is folded.
            text = mysql.VARCHAR(length, collation="utf8mb4_bin")
            return String(length).with_variant(text, "mysql")


for _table in declared.tables().values():
    _define(_table)

hires_summary = Table(
    "hires_summary",
    metadata,
    Column("year", SmallInteger, primary_key=True, autoincrement=False),
    Column("quarter", SmallInteger, primary_key=True, autoincrement=False),
    Column("department_id", Integer, ForeignKey("departments.id"), primary_key=True),
    Column("job_id", Integer, ForeignKey("jobs.id"), primary_key=True),
    Column("hired", Integer, nullable=False),
)
"""Hires by UTC year and quarter (1 to 4), department and job, kept in each load's transaction.

The time to answer a hiring question therefore depends on this, not on the number of employees.
"""
