"""The first pass over a file: every row is checked, the good ones are staged, the bad ones kept."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

from sqlalchemy import Connection

from dbuploader.checked import Checked
from dbuploader.checking import FlawedRow, Row, RowChecker, Value
from dbuploader.csvfile import CsvOptions, open_csv
from dbuploader.references import References
from dbuploader.repository.rows import existing_keys, to_plain
from dbuploader.staging import Repeat
from muster.database import Database
from muster.rejects import CellError, Reject
from muster.uploads import Options

CHUNK_ROWS = 5_000
_CHUNK_BYTES = 4 * 1024 * 1024
_PIECE_ROWS = 128


class Validation:
    """Checks one file against its table's declaration and what the database holds."""

    def __init__(self, database: Database, options: Options, checked: Checked) -> None:
        self._database = database
        self._options = options
        self._checked = checked
        self._table = checked.table
        self._key = self._table.column_names.index(self._table.key)
        self._references = References(self._table)

    def run(self, file: BinaryIO, reach: Callable[[int], None]) -> None:
        """Check all of `file`; `reach` is told the bytes read so far.

        Raises FileError, DatabaseUnavailable, StoreUnavailable and whatever `reach` does.
        """
        options = self._options
        records = open_csv(
            file, self._table, CsvOptions(options.header, options.delimiter, options.encoding)
        )
        self._checked.labels = records.labels
        checker = RowChecker(self._table, records.labels)
        for chunk in _chunks(checker.check_all(records), file.tell):
            self._take(chunk)
            reach(file.tell())

    def _take(self, chunk: Sequence[Row | Reject]) -> None:
        rows = [(item.line, to_plain(item.values)) for item in chunk if isinstance(item, Row)]
        flawed = [(item.line, item.values) for item in chunk if isinstance(item, FlawedRow)]
        late = self._find_key_errors([*rows, *flawed])
        repeats = self._checked.staged.add([(line, *row) for line, row in rows if line not in late])
        for repeat in repeats:
            if repeat.same:
                self._checked.repeats += 1
            else:
                late[repeat.line] = (self._repeated(repeat),)
        if late or len(rows) < len(chunk):
            self._checked.rejects.add(self._rejects(chunk, late))
        self._checked.read += len(chunk)

    def _find_key_errors(
        self, rows: Sequence[tuple[int, Sequence[Value | None]]]
    ) -> dict[int, tuple[CellError, ...]]:
        """By its line, what is wrong with each row whose keys the database does not allow."""
        values = [row for _, row in rows]
        with self._database.read() as connection:
            errors = self._references.errors(connection, values)
            if self._options.mode == "insert":
                taken = self._find_taken(connection, values)
                errors = taken | {
                    place: (*taken.get(place, ()), *found) for place, found in errors.items()
                }
        return {rows[place][0]: found for place, found in errors.items()}

    def _find_taken(
        self, connection: Connection, rows: Sequence[Sequence[Value | None]]
    ) -> dict[int, tuple[CellError, ...]]:
        keys = [row[self._key] for row in rows]
        known = {key for key in keys if isinstance(key, int)}
        taken = existing_keys(connection, self._table.name, known)
        return {place: (self._taken(key),) for place, key in enumerate(keys) if key in taken}

    def _taken(self, key: object) -> CellError:
        message = (
            f"{self._table.name} has {key} already, and this upload only inserts: take the row "
            "out, or upload with mode=upsert"
        )
        return CellError("primary-key", self._table.key, message)

    def _repeated(self, repeat: Repeat) -> CellError:
        message = (
            f"line {repeat.first_line} has the same {self._table.key} with other values: keep "
            "one of the two"
        )
        return CellError("primary-key", self._table.key, message)

    def _rejects(
        self, chunk: Sequence[Row | Reject], late: dict[int, tuple[CellError, ...]]
    ) -> Iterator[Reject]:
        for item in chunk:
            errors = late.get(item.line, ())
            if isinstance(item, Reject) and not errors:
                yield item
            elif errors:
                early = item.errors if isinstance(item, Reject) else ()
                ordered = tuple(sorted((*early, *errors), key=self._place))
                yield Reject(item.line, item.row, item.cells, None, ordered)

    def _place(self, error: CellError) -> int:
        return self._table.column_names.index(error.column)


def _chunks(
    items: Iterator[Row | Reject], position: Callable[[], int]
) -> Iterator[list[Row | Reject]]:
    """The items many at a time, but no more than a few MiB of the file."""
    chunk: list[Row | Reject] = []
    start = position()
    while piece := list(islice(items, _PIECE_ROWS)):
        chunk += piece
        if len(chunk) >= CHUNK_ROWS or position() - start >= _CHUNK_BYTES:
            yield chunk
            chunk, start = [], position()
    if chunk:
        yield chunk
