"""The declared tables: Frictionless Table Schema files, one per table.

They are the single source of the columns, types, constraints, keys and the SQL schema: what stands
in one is obeyed (`declaration.py`), or refused at start.
"""

import json
from functools import cache
from importlib import resources

from muster.contracts.tables.declaration import (
    Column,
    ColumnType,
    DatetimeColumn,
    DeclarationRefused,
    ForeignKey,
    IntegerColumn,
    InvalidKey,
    StringColumn,
    Table,
    read_declarations,
)

__all__ = [
    "Column",
    "ColumnType",
    "DatetimeColumn",
    "DeclarationRefused",
    "ForeignKey",
    "IntegerColumn",
    "InvalidKey",
    "StringColumn",
    "Table",
    "UnknownTable",
    "get_table",
    "read_declarations",
    "tables",
]


class UnknownTable(Exception):
    """No table of that name is declared; the message lists those that are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no table {name!r}; the tables are {', '.join(tables())}.")


@cache
def tables() -> dict[str, Table]:
    """All declared tables by name, parents before the tables that refer to them.

    Raises DeclarationRefused.
    """
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".json"))
    return read_declarations({file.name: json.loads(file.read_text("utf-8")) for file in files})


def get_table(name: str) -> Table:
    """The table `name`; raises UnknownTable."""
    try:
        return tables()[name]
    except KeyError:
        raise UnknownTable(name) from None
