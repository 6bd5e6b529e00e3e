"""The declared tables: Frictionless Table Schema files, one per table.

They are the single source of the columns, types, constraints, keys and the SQL schema.
Source of the format: https://datapackage.org/standard/table-schema/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

ColumnType = Literal["integer", "string", "datetime"]


class UnknownTable(Exception):
    """No table of that name is declared; the message lists those that are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no table {name!r}; the tables are {', '.join(tables())}.")


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, and the least and greatest value or length it takes.

    `aliases` are further labels that a file may give it. `parent` is the table whose keys it holds.
    """

    name: str
    type: ColumnType
    required: bool
    minimum: int | str | None
    maximum: int | str | None
    max_length: int | None
    aliases: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True)
class ForeignKey:
    """`column` holds a key of table `parent`."""

    column: str
    parent: str


@dataclass(frozen=True)
class Table:
    """One declared table. Keys are of one column, `key`, an integer."""

    name: str
    title: str
    columns: tuple[Column, ...]
    key: str
    foreign_keys: tuple[ForeignKey, ...]
    schema: dict[str, Any]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names in the declared order."""
        return tuple(column.name for column in self.columns)


@cache
def tables() -> dict[str, Table]:
    """All declared tables by name, parents before the tables that refer to them."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".json"))
    declared = [_parse(json.loads(file.read_text("utf-8"))) for file in files]
    declared.sort(key=lambda table: (len(table.foreign_keys), table.name))
    return {table.name: table for table in declared}


def get_table(name: str) -> Table:
    """The table `name`; raises UnknownTable."""
    try:
        return tables()[name]
    except KeyError:
        raise UnknownTable(name) from None


def _parse(schema: dict[str, Any]) -> Table:
    (key,) = schema["primaryKey"]
    foreign_keys = tuple(
        ForeignKey(column=foreign["fields"][0], parent=foreign["reference"]["resource"])
        for foreign in schema.get("foreignKeys", ())
    )
    parents = {foreign.column: foreign.parent for foreign in foreign_keys}
    return Table(
        name=schema["name"],
        title=schema["title"],
        columns=tuple(_parse_column(field, parents) for field in schema["fields"]),
        key=key,
        foreign_keys=foreign_keys,
        schema=schema,
    )


def _parse_column(field: dict[str, Any], parents: Mapping[str, str]) -> Column:
    constraints = field.get("constraints", {})
    return Column(
        name=field["name"],
        type=field["type"],
        required=constraints.get("required", False),
        minimum=constraints.get("minimum"),
        maximum=constraints.get("maximum"),
        max_length=constraints.get("maxLength"),
        # Table Schema has no property for them, and allows others than its own.
        aliases=tuple(field.get("aliases", ())),
        parent=parents.get(field["name"]),
    )
