"""What a declaration of a table may say: all of it is obeyed, and anything else is refused.

Source of the format: https://datapackage.org/standard/table-schema/. Muster takes a part of it:
each column is required, the key is one column of integers, and a foreign key refers to its parent's
key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from muster.adapters import ConfigurationError

_NAME = r"[a-z][a-z0-9_]{0,62}"
# What both databases hold in a column of integers, and the bitmaps of keys, which have 32 bits.
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_KEYS = range(2**31)
# The most characters that MySQL can hold in a column of text of four bytes each.
_LONGEST_TEXT = 16_383


ColumnType = Literal["integer", "string", "datetime"]


class DeclarationRefused(ConfigurationError):
    """A declaration says what Muster does not obey."""


class InvalidKey(Exception):
    """No row of the table can have that key; the message says which keys there can be."""


@dataclass(frozen=True)
class IntegerColumn:
    """A column of integers from `minimum` to `maximum`.

    `enum` are all values that there are; none means any. `aliases` are further labels that a file
    may give the column. `parent` is the table whose keys it holds.
    """

    type: ClassVar[ColumnType] = "integer"

    name: str
    aliases: tuple[str, ...]
    minimum: int
    maximum: int
    enum: tuple[int, ...]
    parent: str | None

    @property
    def fits_32_bits(self) -> bool:
        """Whether a signed integer of 32 bits holds each value."""
        return self.minimum in _INT32 and self.maximum in _INT32


@dataclass(frozen=True)
class StringColumn:
    """A column of texts of `min_length` to `max_length` characters.

    `pattern` is a regular expression that the whole text matches, and `enum` are all values that
    there are; none means any. `aliases` are further labels that a file may give the column.
    """

    type: ClassVar[ColumnType] = "string"

    name: str
    aliases: tuple[str, ...]
    min_length: int
    max_length: int
    pattern: str | None
    enum: tuple[str, ...]


@dataclass(frozen=True)
class DatetimeColumn:
    """A column of moments from `minimum` to `maximum`, which are in UTC without tzinfo.

    `aliases` are further labels that a file may give the column.
    """

    type: ClassVar[ColumnType] = "datetime"

    name: str
    aliases: tuple[str, ...]
    minimum: datetime
    maximum: datetime


Column = IntegerColumn | StringColumn | DatetimeColumn
"""A column of a table; each of its cells needs a value."""


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

    @property
    def indexed_names(self) -> tuple[str, ...]:
        """The columns by which rows are found and sorted: the key, and those with a foreign key."""
        return (self.key, *(foreign.column for foreign in self.foreign_keys))

    def heading(self, column: str) -> str:
        """What people read over the column: `Department` over a `department_id` of departments."""
        short = column.removesuffix("_id")
        is_foreign = column in {foreign.column for foreign in self.foreign_keys}
        name = short if is_foreign and short not in self.column_names else column
        return name.replace("_", " ").capitalize()

    def read_key(self, text: str) -> int:
        """The key that `text` writes in decimal digits, as a path has it; raises InvalidKey."""
        integers = [each for each in self.columns if isinstance(each, IntegerColumn)]
        (column,) = [each for each in integers if each.name == self.key]
        if re.fullmatch(r"0|[1-9][0-9]{0,9}", text):
            key = int(text)
            if column.minimum <= key <= column.maximum:
                return key
        least, most = f"{column.minimum:,}", f"{column.maximum:,}"
        raise InvalidKey(f"The keys of {self.name} are whole numbers from {least} to {most}.")


def read_declarations(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Table]:
    """The tables that `schemas` declare, by name, parents before the tables that refer to them.

    The schemas are by the name of their file, which is the table's. Raises DeclarationRefused,
    which names the file, the place in it, and what is taken there.
    """
    declared = {file: _read(file, schema) for file, schema in schemas.items()}
    tables = {table.name: table for table in declared.values()}
    for table in tables.values():
        for foreign in table.foreign_keys:
            _require_parent(table, foreign, tables)
    parents = {
        name: sorted({foreign.parent for foreign in tables[name].foreign_keys})
        for name in sorted(tables)
    }
    try:
        return {name: tables[name] for name in TopologicalSorter(parents).static_order()}
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DeclarationRefused(
            f"The tables refer to each other in a circle: {circle}. None could be loaded first."
        ) from error


def _read(file: str, schema: Mapping[str, Any]) -> Table:
    try:
        table = _Declaration.model_validate(schema).table(dict(schema))
    except ValidationError as error:
        faults = "; ".join(_fault(each["loc"], each["msg"]) for each in error.errors())
        raise DeclarationRefused(f"{file}: {faults}") from error
    if file != f"{table.name}.json":
        raise DeclarationRefused(f"{file} declares {table.name}: call it {table.name}.json")
    return table


def _fault(place: tuple[int | str, ...], message: str) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"{steps.removeprefix('.') or 'the table'}: {message.removeprefix('Value error, ')}"


def _require_parent(table: Table, foreign: ForeignKey, tables: Mapping[str, Table]) -> None:
    parent = tables.get(foreign.parent)
    if parent is None:
        raise DeclarationRefused(
            f"{table.name}.json: {foreign.column} refers to {foreign.parent}, which is not declared"
        )
    (referred,) = [
        each["reference"]["fields"][0]
        for each in table.schema["foreignKeys"]
        if each["fields"] == [foreign.column]
    ]
    if referred != parent.key:
        raise DeclarationRefused(
            f"{table.name}.json: {foreign.column} refers to {foreign.parent}.{referred}, and a "
            f"foreign key refers to the parent's key, {parent.key}"
        )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
_Label = Annotated[str, StringConstraints(min_length=1)]


class _Required(_Strict):
    """Constraints that all columns have."""

    required: Literal[True]
    # A key is unique by being the key. That of another column would have to be looked up in the
    # database for each row.
    unique: Literal[False] = False


class _IntegerConstraints(_Required):
    minimum: StrictInt
    maximum: StrictInt
    enum: tuple[StrictInt, ...] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        _require_order(self.minimum, self.maximum)
        if self.minimum not in _INT64 or self.maximum not in _INT64:
            raise ValueError("minimum and maximum must be integers of 64 bits")
        return self


class _DatetimeConstraints(_Required):
    minimum: StrictStr
    maximum: StrictStr

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        _require_order(_moment(self.minimum), _moment(self.maximum))
        return self


class _StringConstraints(_Required):
    min_length: StrictInt = Field(1, alias="minLength", ge=1)
    max_length: StrictInt = Field(alias="maxLength", ge=1, le=_LONGEST_TEXT)
    pattern: StrictStr | None = None
    enum: tuple[StrictStr, ...] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_order(self.min_length, self.max_length)
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"the pattern is no regular expression: {error}") from error
        return self


class _Field(_Strict):
    name: _Name
    title: str | None = None
    description: str | None = None
    # Table Schema has no property for them, and allows others than its own.
    aliases: tuple[_Label, ...] = ()


class _Integer(_Field):
    type: Literal["integer"]
    constraints: _IntegerConstraints

    def column(self, parent: str | None) -> IntegerColumn:
        limits = self.constraints
        return IntegerColumn(
            self.name, self.aliases, limits.minimum, limits.maximum, limits.enum or (), parent
        )


class _String(_Field):
    type: Literal["string"]
    constraints: _StringConstraints

    def column(self) -> StringColumn:
        limits = self.constraints
        return StringColumn(
            self.name,
            self.aliases,
            limits.min_length,
            limits.max_length,
            limits.pattern,
            limits.enum or (),
        )


class _Datetime(_Field):
    type: Literal["datetime"]
    constraints: _DatetimeConstraints

    def column(self) -> DatetimeColumn:
        limits = self.constraints
        return DatetimeColumn(
            self.name, self.aliases, _moment(limits.minimum), _moment(limits.maximum)
        )


class _Reference(_Strict):
    resource: _Name
    fields: tuple[_Name]


class _ForeignKey(_Strict):
    fields: tuple[_Name]
    reference: _Reference


class _Declaration(_Strict):
    schema_url: str | None = Field(None, alias="$schema")
    name: _Name
    title: str
    description: str | None = None
    fields: tuple[Annotated[_Integer | _String | _Datetime, Field(discriminator="type")], ...]
    primary_key: tuple[_Name] = Field(alias="primaryKey")
    foreign_keys: tuple[_ForeignKey, ...] = Field((), alias="foreignKeys")

    @field_validator("fields")
    @classmethod
    def _check_names(cls, fields: tuple[_Field, ...]) -> tuple[_Field, ...]:
        names = [field.name for field in fields]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"there are two columns named {', '.join(twice)}")
        return fields

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        integers = {field.name: field for field in self.fields if isinstance(field, _Integer)}
        (key,) = self.primary_key
        if key not in integers:
            raise ValueError(f"primaryKey: {key} must be one of the integer columns")
        limits = integers[key].constraints
        if limits.minimum not in _KEYS or limits.maximum not in _KEYS:
            raise ValueError(f"primaryKey: {key} must be from {_KEYS[0]} to {_KEYS[-1]}")
        columns = [foreign.fields[0] for foreign in self.foreign_keys]
        for column in columns:
            if column not in integers or column == key or columns.count(column) > 1:
                raise ValueError(
                    f"foreignKeys: {column} must be an integer column, not the key, and named once"
                )
        return self

    def table(self, schema: dict[str, Any]) -> Table:
        foreign_keys = tuple(
            ForeignKey(column=each.fields[0], parent=each.reference.resource)
            for each in self.foreign_keys
        )
        parents = {each.column: each.parent for each in foreign_keys}
        return Table(
            name=self.name,
            title=self.title,
            columns=tuple(
                field.column(parents.get(field.name))
                if isinstance(field, _Integer)
                else field.column()
                for field in self.fields
            ),
            key=self.primary_key[0],
            foreign_keys=foreign_keys,
            schema=schema,
        )


def _require_order(least: Any, most: Any) -> None:
    if least > most:
        raise ValueError(f"the minimum, {least}, is greater than the maximum, {most}")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset: write it in UTC, with a Z")
    return moment.astimezone(UTC).replace(tzinfo=None)
