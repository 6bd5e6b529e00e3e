"""A table's rows: a page at a time in the order of its key, and one by its key."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from datetime import datetime

from muster.contracts.tables import Table
from muster.database import Reads
from queries import repository

Cell = int | str


class InvalidCursor(Exception):
    """No answer has ever had that cursor."""


class RowNotFound(Exception):
    """The table has no row with that key; the message names both."""

    def __init__(self, table: Table, key: int) -> None:
        super().__init__(f"{table.name} has no row with the {table.key} {key}.")


@dataclass(frozen=True)
class TablePage:
    """Rows as JSON has them, and the cursor of the next page; None after the last page."""

    rows: list[dict[str, Cell]]
    next: str | None


class TableRows:
    """Reads pages from the employment database."""

    def __init__(self, database: Reads) -> None:
        self._database = database

    def read(self, table: Table, limit: int, cursor: str | None) -> TablePage:
        """At most `limit` rows of `table` after those that `cursor` stands for.

        A row added meanwhile appears where its key puts it: none is shown twice. Raises
        InvalidCursor or DatabaseUnavailable.
        """
        after = 0 if cursor is None else _key_of(cursor)
        with self._database.read() as connection:
            found = repository.rows_after(connection, table, after, limit + 1)
        rows = [_as_json(row) for row in found[:limit]]
        more = len(found) > limit
        return TablePage(rows, _cursor_of(found[limit - 1][table.key]) if more else None)

    def find(self, table: Table, key: int) -> dict[str, Cell]:
        """The row with that key. Raises RowNotFound or DatabaseUnavailable."""
        with self._database.read() as connection:
            row = repository.find_row(connection, table, key)
        if row is None:
            raise RowNotFound(table, key)
        return _as_json(row)


def _as_json(row: dict[str, repository.Value]) -> dict[str, Cell]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: repository.Value) -> Cell:
    """Times per RFC 3339, in UTC, with a fraction only if there is one."""
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value


def _cursor_of(key: repository.Value) -> str:
    return urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _key_of(cursor: str) -> int:
    try:
        key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (Error, ValueError) as error:
        raise InvalidCursor from error
    if not re.fullmatch(r"[0-9]{1,10}", key) or _cursor_of(key) != cursor:
        raise InvalidCursor
    return int(key)
