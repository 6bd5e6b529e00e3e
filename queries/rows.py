"""A table's rows: a page of a selection at a time, all of it as CSV, and one row by its key."""

import re
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from muster.contracts.tables import ForeignKey, Table, get_table
from muster.database import Reads
from queries import repository
from queries.repository import name_column
from queries.responses import csv_lines
from queries.selection import Count, Place, Row, Selection

Cell = int | str
Names = Mapping[str, Mapping[int, str]]
"""Of each column that refers to a parent, what the parents are called, by their keys."""

_ROWS_AT_ONCE = 2000
_MOST_STREAMS = 4
_STREAM_SECONDS = 600.0
_CURSOR = re.compile(r"(-?[^:]+):(-?[0-9]{1,19}):(-?[0-9]{1,19})|([0-9]{1,10})", re.ASCII)


class InvalidCursor(Exception):
    """No answer to this question has ever had that cursor."""


class RowNotFound(Exception):
    """The table has no row with that key; the message names both."""

    def __init__(self, table: Table, key: int) -> None:
        super().__init__(f"{table.name} has no row with the {table.key} {key}.")


class TooManyStreams(Exception):
    """As many answers as may be are being streamed."""


class StreamTooSlow(Exception):
    """The client took the rows too slowly: a view of the data is not kept for longer."""


@dataclass(frozen=True)
class TablePage:
    """Rows as JSON has them, how many there are, and the cursor of the next page; None at the end.

    `names` are those of the parents of these rows, if asked for.
    """

    rows: list[dict[str, Cell]]
    count: Count
    next: str | None
    names: Names


class TableRows:
    """Reads rows from the employment database. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Reads) -> None:
        self._database = database
        self._streams = threading.BoundedSemaphore(_MOST_STREAMS)

    def read(
        self, selection: Selection, limit: int, cursor: str | None, *, with_names: bool = False
    ) -> TablePage:
        """At most `limit` rows of the selection after those that `cursor` stands for.

        A row added meanwhile appears where its order puts it: none is shown twice. Raises
        InvalidCursor.
        """
        after = None if cursor is None else _place_of(selection, cursor)
        with self._database.read() as connection:
            found, place = selection.read(connection, after, limit)
            count = selection.count(connection)
            parents = selection.table.foreign_keys if with_names else ()
            names = _names_of(connection, parents, found)
        rows = [_as_json(row) for row in found]
        more = None if place is None else _cursor_of(selection, place)
        return TablePage(rows, count, more, names)

    def stream(self, selection: Selection, *, with_names: bool = False) -> Generator[bytes]:
        """All rows of the selection as CSV, of one view of the data; to be closed in the end.

        Raises TooManyStreams, and from the generator StreamTooSlow.
        """
        parts = self._parts(selection, with_names=with_names)
        # What fails at once is answered by an error, and not by a part of an answer.
        next(parts)
        return parts

    def _parts(self, selection: Selection, *, with_names: bool) -> Generator[bytes]:
        if not self._streams.acquire(blocking=False):
            raise TooManyStreams
        try:
            yield from self._lines(selection, with_names=with_names)
        finally:
            self._streams.release()

    def _lines(self, selection: Selection, *, with_names: bool) -> Generator[bytes]:
        table, deadline = selection.table, time.monotonic() + _STREAM_SECONDS
        parents = table.foreign_keys if with_names else ()
        header = [*table.column_names, *(_label_of(foreign) for foreign in parents)]
        part = csv_lines([header])
        with self._database.read() as connection:
            rows, after = selection.read(connection, None, _ROWS_AT_ONCE, 0)
            yield b""
            while True:
                names = _names_of(connection, parents, rows)
                part += csv_lines(_cells(row, parents, names) for row in rows)
                if after is None:
                    break
                yield part.encode()
                if time.monotonic() >= deadline:
                    raise StreamTooSlow
                part = ""
                rows, after = selection.read(connection, after, _ROWS_AT_ONCE, 0)
        # Only now: the view has proved to be one of what is committed.
        yield part.encode()

    def find(self, table: Table, key: int) -> dict[str, Cell]:
        """The row with that key. Raises RowNotFound."""
        with self._database.read() as connection:
            row = repository.find_row(connection, table, key)
        if row is None:
            raise RowNotFound(table, key)
        return _as_json(row)


def _names_of(connection: Connection, parents: Sequence[ForeignKey], rows: Sequence[Row]) -> Names:
    return {
        foreign.column: repository.names_of(
            connection, get_table(foreign.parent), {row[foreign.column] for row in rows}
        )
        for foreign in parents
    }


def _label_of(foreign: ForeignKey) -> str:
    # A label that begins so is passed over where the file is uploaded.
    return f"_{name_column(get_table(foreign.parent))}"


def _cells(row: Row, parents: Sequence[ForeignKey], names: Names) -> list[Cell]:
    own = [_cell(value) for value in row.values()]
    return [*own, *(names[each.column].get(row[each.column], "") for each in parents)]


def _as_json(row: Row) -> dict[str, Cell]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: repository.Value) -> Cell:
    """Times per RFC 3339, in UTC, with a fraction only if there is one."""
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value


def _cursor_of(selection: Selection, place: Place) -> str:
    text = str(place.key)
    if selection.sort != selection.table.key or selection.descending:
        text = f"{_order_of(selection)}:{place.value}:{text}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place_of(selection: Selection, cursor: str) -> Place:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (Error, ValueError) as error:
        raise InvalidCursor from error
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise InvalidCursor
    _order, value, key, only = found.groups()
    place = Place(int(value or only), int(key or only))
    # Of another order it is written otherwise, as is a number with zeros before it.
    if _cursor_of(selection, place) != cursor or max(map(abs, (place.value, place.key))) > 2**63:
        raise InvalidCursor
    return place


def _order_of(selection: Selection) -> str:
    return f"{'-' if selection.descending else ''}{selection.sort}"
