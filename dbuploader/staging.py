"""The good rows of one file, kept on disk until they are loaded, one for each key.

A private SQLite database that has no name: nothing of it is left when its process dies.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from dbuploader.repository.rows import PlainRow
from muster.tables import Table

StagedRow = tuple[int | str, ...]
"""The physical line of a row, then its values in the declared order."""

_CACHE_KIB = 8 * 1024


class Repeat(NamedTuple):
    """The row on `line` has the key of the row on `first_line`; `same` if all else is equal."""

    line: int
    first_line: int
    same: bool


class Staging:
    """Rows of `table` under their keys, in bounded memory."""

    def __init__(self, table: Table) -> None:
        names = [f'"{name}"' for name in table.column_names]
        key = names[table.column_names.index(table.key)]
        columns = [f"{name} INTEGER PRIMARY KEY" if name == key else name for name in names]
        self._key = 1 + table.column_names.index(table.key)
        marks = ", ".join("?" * (1 + len(names)))
        # The names are those of the declaration, never of the input.
        self._insert = f"INSERT OR IGNORE INTO staged VALUES ({marks})"  # noqa: S608
        self._select = f"SELECT {', '.join(names)} FROM staged ORDER BY {key}"  # noqa: S608
        self._select_one = f"SELECT * FROM staged WHERE {key} = ?"  # noqa: S608
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute("PRAGMA journal_mode = OFF")
        self._scratch.execute("PRAGMA synchronous = OFF")
        self._scratch.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # One transaction that never ends: a commit would write pages out for nothing.
        self._scratch.execute("BEGIN")
        self._scratch.execute(f"CREATE TABLE staged (line, {', '.join(columns)})")
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._scratch.close()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget all rows."""
        self._scratch.execute("DELETE FROM staged")
        self._count = 0

    def add(self, rows: Sequence[StagedRow]) -> list[Repeat]:
        """Keep the rows whose key is new; returns the others."""
        kept = self._scratch.executemany(self._insert, rows).rowcount if rows else 0
        self._count += kept
        if kept == len(rows):
            return []
        return [repeat for row in rows if (repeat := self._find_repeat(row)) is not None]

    def chunks(self, size: int) -> Iterator[list[PlainRow]]:
        """All rows in the order of their key, at most `size` at a time."""
        cursor = self._scratch.execute(self._select)
        while chunk := cursor.fetchmany(size):
            yield chunk

    def _find_repeat(self, row: StagedRow) -> Repeat | None:
        owner = self._scratch.execute(self._select_one, (row[self._key],)).fetchone()
        if owner[0] == row[0]:
            return None
        return Repeat(line=int(row[0]), first_line=owner[0], same=owner[1:] == row[1:])
