"""The rows of the declared tables as the OpenAPI document shows them: a schema for each table.

The services behind check rows and answer with them: these models only describe that.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from muster.contracts.tables import (
    Column,
    DatetimeColumn,
    IntegerColumn,
    StringColumn,
    Table,
    tables,
)

_MOMENT = "2021-11-07T02:48:42Z"
_INTEGER_TEXT = r"^\s*[+-]?[0-9]+(\.0+)?\s*$"


def row_model(table: Table) -> type[BaseModel]:
    """A row of the table as answers have it."""
    name = f"{_camel(table.name)}Row"
    return _model(name, f"A row of {table.name}.", table, {c.name: _read(c) for c in table.columns})


def new_row_model(table: Table) -> type[BaseModel]:
    """A row of the table as requests have it: a cell may also be the text that CSV would have."""
    name = f"New{_camel(table.name)}Row"
    text = f"A row of {table.name} to write. Every column must be there."
    columns = {column.name: _written(column) for column in table.columns}
    return _model(name, text, table, columns, ConfigDict(extra="forbid"))


def example_rows(table: Table, count: int = 2) -> list[dict[str, Any]]:
    """Rows that the table could have, with the keys 1, 2, 3 and so on."""
    keys = range(1, count + 1)
    return [
        {c.name: key if c.name == table.key else _example(c) for c in table.columns} for key in keys
    ]


def _model(
    name: str,
    text: str,
    table: Table,
    columns: dict[str, Any],
    config: ConfigDict | None = None,
) -> type[BaseModel]:
    # By aliases: a column may have the name of an attribute that models have.
    fields = {
        f"column_{place}": (
            kind,
            Field(
                alias=column,
                description=_description(table, column),
                examples=[example_rows(table, 1)[0][column]],
            ),
        )
        for place, (column, kind) in enumerate(columns.items())
    }
    declared: Any = {**fields, "__config__": config, "__doc__": text}
    model: type[BaseModel] = create_model(name, **declared)
    return model


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _description(table: Table, name: str) -> str | None:
    (said,) = [each.get("description") for each in table.schema["fields"] if each["name"] == name]
    parents = {foreign.column: foreign.parent for foreign in table.foreign_keys}
    role = "The key." if name == table.key else None
    role = f"The key of a row of {parents[name]}." if name in parents else role
    return " ".join(filter(None, (said, role))) or None


def _read(column: Column) -> Any:
    match column:
        case IntegerColumn():
            return _integer(column)
        case StringColumn():
            return _string(column)
        case DatetimeColumn():
            return datetime


def _written(column: Column) -> Any:
    if isinstance(column, IntegerColumn):
        return _integer(column) | Annotated[str, Field(pattern=_INTEGER_TEXT)]
    return _read(column)


def _integer(column: IntegerColumn) -> Any:
    if column.enum:
        return Literal[column.enum]
    return Annotated[int, Field(ge=column.minimum, le=column.maximum)]


def _string(column: StringColumn) -> Any:
    if column.enum:
        return Literal[column.enum]
    # Not as a constraint of pydantic's, which would compile it: the pattern is RE2's.
    pattern = {} if column.pattern is None else {"pattern": f"^(?:{column.pattern})$"}
    lengths = Field(min_length=column.min_length, max_length=column.max_length)
    return Annotated[str, lengths, Field(json_schema_extra={**pattern})]


def _example(column: Column) -> int | str:
    match column:
        case IntegerColumn():
            return column.enum[0] if column.enum else max(1, column.minimum)
        case StringColumn():
            return column.enum[0] if column.enum else column.name.capitalize()[: column.max_length]
        case DatetimeColumn():
            return _MOMENT


ROWS = tuple(row_model(table) for table in tables().values())
NEW_ROWS = tuple(new_row_model(table) for table in tables().values())
# What a row is depends on the declarations alone.
Row: Any = Union[ROWS]  # noqa: UP007
