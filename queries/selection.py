"""Which rows of a table, in which order, and how they are gone through a bounded part at a time.

The order is that of the key, or of another indexed column and then of the key. Each statement goes
through one index, in its order, from a row on: nothing is sorted, and a page far behind costs what
the first does. What the index does not know (a search, a further filter) is asked of at most
LOOKED_THROUGH of its entries by a statement, so that none takes longer in a larger table.
"""

import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, collate, func, or_, select

from muster.contracts.tables import Table
from muster.contracts.tables.declaration import StringColumn
from muster.contracts.tables.sql import sql_table

LOOKED_THROUGH = 100_000
MOST_COUNTED = 10_000
_SECONDS = 1.0
_LEAST, _MOST = -(2**63), 2**63 - 1
_CASELESS = "utf8mb4_unicode_ci"
_BEGINS = "muster_begins_with"

Row = Mapping[str, Any]
Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True)
class Place:
    """The row behind which to go on: its value in the column of the order, and its key."""

    value: int
    key: int


@dataclass(frozen=True)
class Count:
    """How many rows there are; at least as many if `capped`."""

    rows: int
    capped: bool


@dataclass(frozen=True)
class Selection:
    """Rows of `table` that have the values of `filters` and a text that begins with `search`.

    `sort`, and what is filtered by, are indexed columns. A search passes over case and accents.
    """

    table: Table
    sort: str
    descending: bool = False
    filters: Mapping[str, int] = field(default_factory=dict)
    search: str = ""

    def count(self, connection: Connection) -> Count:
        """How many rows there are, counted up to MOST_COUNTED, or as far as is looked through."""
        return _Walk(connection, self, self.table.key).count()

    def read(
        self, connection: Connection, after: Place | None, limit: int, seconds: float = _SECONDS
    ) -> tuple[list[Row], Place | None]:
        """At most `limit` rows behind the place, and where to go on; None if nothing follows.

        There may be fewer though others follow, where none was found in so many seconds.
        """
        return _Walk(connection, self, self.sort).read(after, limit, seconds)


class _Walk:
    """A selection, gone through along the index of `order`, or of a filter if that is the key.

    Rows of one value in an index are in the order of their keys.
    """

    def __init__(self, connection: Connection, selection: Selection, order: str) -> None:
        table, filters = selection.table, dict(selection.filters)
        self._connection = connection
        self._rows = sql_table(table.name)
        self._key = self._rows.c[table.key]
        self._descending = selection.descending
        self._column = self._rows.c[order] if order not in {table.key, *filters} else None
        self._index: str | None = None if self._column is None else order
        self._pinned: list[ColumnElement[bool]] = []
        pinned = order if order in filters else next(iter(filters), None)
        if self._column is None and pinned is not None:
            self._pinned = [self._rows.c[pinned] == filters.pop(pinned)]
            self._index = pinned
        # A sum can't be looked up: no index but the chosen one is of use.
        self._asked = [self._rows.c[name] + 0 == value for name, value in filters.items()]
        if selection.search:
            self._asked.append(self._begins(table, selection.search))

    def count(self) -> Count:
        end = self._end(self._pinned, None) if self._asked else None
        within = [] if end is None else [self._key <= end]
        found = select(self._key).where(*self._pinned, *within, *self._asked)
        counted = self._along(found.limit(MOST_COUNTED + 1)).subquery()
        number = self._connection.scalars(select(func.count()).select_from(counted)).one()
        return Count(min(number, MOST_COUNTED), capped=number > MOST_COUNTED or end is not None)

    def read(
        self, after: Place | None, limit: int, seconds: float
    ) -> tuple[list[Row], Place | None]:
        if self._asked:
            rows, place = self._look_through(after, limit + 1, time.monotonic() + seconds)
        else:
            rows, place = self._take(after, limit + 1), None
        if len(rows) > limit:
            return rows[:limit], self._place_of(rows[limit - 1])
        return rows, place

    def _take(self, after: Place | None, most: int) -> list[Row]:
        """Rows behind the place, all of which are wanted."""
        if self._column is None:
            return self._fetch([*self._pinned, *self._beyond(after)], most)
        rows: list[Row] = []
        if after is not None:
            rows = self._fetch([self._column == after.value, *self._beyond(after)], most)
        if len(rows) < most:
            others = self._past(self._column, None if after is None else after.value)
            rows += self._fetch([others], most - len(rows), by_column=True)
        return rows

    def _look_through(
        self, after: Place | None, most: int, deadline: float
    ) -> tuple[list[Row], Place | None]:
        """Those of the rows behind the place that are wanted, and where to look further."""
        rows: list[Row] = []
        key = None if after is None or self._is_through(after) else after.key
        for value, run in self._runs(after):
            is_through = False
            while not is_through:
                end = self._end(run, key)
                part = [*run, self._past(self._key, key)]
                if end is not None:
                    part.append(self._key >= end if self._descending else self._key <= end)
                rows += self._fetch([*part, *self._asked], most - len(rows))
                is_through = end is None
                key = self._last_key if end is None else end
                if len(rows) == most:
                    return rows, None
                if time.monotonic() >= deadline and not (is_through and self._column is None):
                    return rows, Place(value, key)
            key = None
        return rows, None

    def _runs(self, after: Place | None) -> Iterator[tuple[int, Conditions]]:
        """The values of the order's column from the place on, and the condition of each's rows."""
        if self._column is None:
            yield 0, self._pinned
            return
        if after is None:
            value = self._value_past(self._column, None)
        elif self._is_through(after):
            # Without this, whoever has no time for more than one run would never leave it.
            value = self._value_past(self._column, after.value)
        else:
            value = after.value
        while value is not None:
            yield value, [self._column == value]
            value = self._value_past(self._column, value)

    def _is_through(self, place: Place) -> bool:
        """Whether the place is the end of its run, and others follow."""
        return self._column is not None and place.key == self._last_key

    @property
    def _last_key(self) -> int:
        return _LEAST if self._descending else _MOST

    def _value_past(self, column: ColumnElement[int], value: int | None) -> int | None:
        following = select(column).where(self._past(column, value))
        ordered = following.order_by(self._in_order(column)).limit(1)
        return self._connection.scalars(self._along(ordered)).first()

    def _end(self, run: Conditions, key: int | None) -> int | None:
        """Up to which key one statement looks through the run; None if that is to its end."""
        entries = select(self._key).where(*run, self._past(self._key, key))
        last = entries.order_by(self._in_order(self._key)).offset(LOOKED_THROUGH - 1).limit(1)
        return self._connection.scalars(self._along(last)).first()

    def _fetch(self, where: Conditions, most: int, *, by_column: bool = False) -> list[Row]:
        order = [self._key]
        if by_column and self._column is not None:
            order.insert(0, self._column)
        found = select(self._rows).where(*where).order_by(*map(self._in_order, order)).limit(most)
        return [*self._connection.execute(self._along(found)).mappings()]

    def _along(self, query: Select[Any]) -> Select[Any]:
        """The query along the chosen index, as MySQL's optimiser may prefer to sort."""
        index: object = "PRIMARY"
        if self._index not in {None, self._key.name}:
            own = self._rows.c[str(self._index)]
            index = next(each.name for each in self._rows.indexes if own in {*each.columns})
        return query.with_hint(self._rows, f"FORCE INDEX ({index})", "mysql")

    def _beyond(self, after: Place | None) -> Conditions:
        return [self._past(self._key, None if after is None else after.key)]

    def _past(self, column: ColumnElement[int], value: int | None) -> ColumnElement[bool]:
        if self._descending:
            return column < (_MOST if value is None else value)
        return column > (_LEAST if value is None else value)

    def _in_order(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return column.desc() if self._descending else column.asc()

    def _place_of(self, row: Row) -> Place:
        key = row[self._key.name]
        return Place(key if self._column is None else row[self._column.name], key)

    def _begins(self, table: Table, text: str) -> ColumnElement[bool]:
        """Whether a text of the row begins with that one."""
        columns = [self._rows.c[each.name] for each in table.columns if _is_text(each)]
        if self._connection.dialect.name == "sqlite":
            driver: Any = self._connection.connection.driver_connection
            driver.create_function(_BEGINS, 2, _begins_with, deterministic=True)
            begins = getattr(func, _BEGINS)
            return or_(*(begins(each, _folded(text)) == 1 for each in columns))
        return or_(
            *(collate(each, _CASELESS).startswith(text, autoescape=True) for each in columns)
        )


def _is_text(column: object) -> bool:
    return isinstance(column, StringColumn)


def _begins_with(text: str, folded: str) -> bool:
    return _folded(text).startswith(folded)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text)
    return "".join(each for each in parts if not unicodedata.combining(each)).casefold()
