"""The first pass over a file: every row is checked, and kept as a good one or as a reject."""

from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.checked import Checked
from dbuploader.checking import CheckedChunk, ColumnChecker, FlawedRow, TextDoubts
from dbuploader.csvfile import CsvOptions, open_csv
from dbuploader.keys import BadKeys, References
from dbuploader.repository.finding import existing_keys
from muster.contracts.rejects import CellError, Reject
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options
from muster.database import Database

KeyErrors = dict[int, list[CellError]]
"""By its physical line, what is wrong with the keys of a row."""


class Validation:
    """Checks one file against its table's declaration and what the database holds."""

    def __init__(self, database: Database, options: Options, checked: Checked) -> None:
        self._database = database
        self._options = options
        self._checked = checked
        self._table = checked.table
        self._references = References(self._table)
        keys = [self._table.key] if options.mode == "insert" else []
        self._looked_up = [*keys, *(foreign.column for foreign in self._table.foreign_keys)]

    def run(self, file: BinaryIO) -> Iterator[pa.RecordBatch]:
        """Check all of `file`; yields, chunk by chunk, the rows that are to be loaded.

        Those are kept in `checked`, too. Raises FileError, RejectsFull, DatabaseUnavailable and
        StoreUnavailable.
        """
        options = self._options
        columns = parse_columns(options.columns, self._table)
        records = open_csv(
            file,
            self._table,
            CsvOptions(options.header, options.delimiter, options.encoding, columns),
        )
        self._checked.labels = records.labels
        self._checked.warn(records.warnings)
        checker = ColumnChecker(self._table, records.labels, options.dates)
        doubts = TextDoubts(self._table, records.codec)
        for chunk in records.chunks():
            yield self._take(checker.check(chunk), doubts)

    def _take(self, chunk: CheckedChunk, doubts: TextDoubts) -> pa.RecordBatch:
        errors = self._find_key_errors(chunk)
        good = chunk.select(_not_in(chunk.lines, errors))
        if chunk.only_inserted:
            lines = pa.array(chunk.only_inserted, pa.int64())
            keys = good.rows.column(self._table.key)
            self._checked.only_inserted.update(
                keys.filter(pc.is_in(good.lines, value_set=lines)).to_pylist()
            )
        rows, repeats = self._checked.owners.add(good.lines, good.rows)
        for line, first_line in repeats.others.items():
            errors[line] = [self._repeated(first_line)]
        accepted = good.select(_not_in(good.lines, errors)) if repeats.others else good
        odd = doubts.find(accepted.lines, accepted.rows)
        self._checked.warn(odd.first, odd.total)
        self._checked.repeats += repeats.same
        self._checked.count(len(chunk), self._rejects(chunk, errors))
        return rows

    def _find_key_errors(self, chunk: CheckedChunk) -> KeyErrors:
        """What is wrong with each row whose keys the database does not allow."""
        errors: KeyErrors = defaultdict(list)
        flawed = [row for row in chunk.rejects if isinstance(row, FlawedRow)]
        for bad in self._find_bad_keys(chunk, flawed):
            column = chunk.rows.column(bad.column)
            has_bad = pc.is_in(column, value_set=pa.array(bad.keys, column.type))
            lines = chunk.lines.filter(has_bad).to_pylist()
            for line, key in zip(lines, column.filter(has_bad).to_pylist(), strict=True):
                errors[line].append(bad.error(key))
            for row in flawed:
                value = row.values[self._place(bad.column)]
                if isinstance(value, int) and value in bad.keys:
                    errors[row.line].append(bad.error(value))
        for line, key in self._find_overwriting(chunk, flawed).items():
            errors[line].append(self._overwriting(key))
        return errors

    def _find_overwriting(self, chunk: CheckedChunk, flawed: list[FlawedRow]) -> dict[int, int]:
        """By line, the keys that the table has of rows which must not change one that is there."""
        if not chunk.only_inserted or self._options.mode == "insert":
            return {}
        key = self._table.key
        lines = pa.array(chunk.only_inserted, pa.int64())
        rows = pc.is_in(chunk.lines, value_set=lines)
        keys = dict(
            zip(
                chunk.lines.filter(rows).to_pylist(),
                chunk.rows.column(key).filter(rows).to_pylist(),
                strict=True,
            )
        )
        for row in flawed:
            value = row.values[self._place(key)]
            if row.line in chunk.only_inserted and isinstance(value, int):
                keys[row.line] = value
        with self._database.read() as connection:
            taken = existing_keys(connection, self._table.name, set(keys.values()))
        return {line: value for line, value in keys.items() if value in taken}

    def _find_bad_keys(self, chunk: CheckedChunk, flawed: list[FlawedRow]) -> list[BadKeys]:
        keys: dict[str, set[int]] = {}
        for column in self._looked_up:
            place = self._place(column)
            keys[column] = set(pc.unique(chunk.rows.column(column)).to_pylist())
            keys[column] |= {key for row in flawed if isinstance(key := row.values[place], int)}
        with self._database.read() as connection:
            bad = self._references.missing(connection, keys)
            if self._options.mode == "insert":
                key = self._table.key
                taken = existing_keys(connection, self._table.name, keys[key])
                bad.append(BadKeys(key, taken, self._taken))
        return bad

    def _taken(self, key: int) -> CellError:
        message = (
            f"{self._table.name} has {key} already, and this upload only inserts: take the row "
            "out, or upload with mode=upsert"
        )
        return CellError("primary-key", self._table.key, message)

    def _overwriting(self, key: int) -> CellError:
        message = (
            f"{self._table.name} has {key} already, and _code says that it had: blank _code to "
            "have this row in place of that one, or take it out"
        )
        return CellError("primary-key", self._table.key, message)

    def _repeated(self, first_line: int) -> CellError:
        message = (
            f"line {first_line} has the same {self._table.key} with other values: keep "
            "one of the two"
        )
        return CellError("primary-key", self._table.key, message)

    def _rejects(self, chunk: CheckedChunk, errors: KeyErrors) -> list[Reject]:
        """All rejects of the chunk, in the order of the input."""
        early = [
            self._reject(reject, [*reject.errors, *errors[reject.line]])
            if reject.line in errors
            else reject
            for reject in chunk.rejects
        ]
        late = chunk.select(pc.invert(_not_in(chunk.lines, errors))) if errors else None
        if late is None or not len(late.lines):
            return early
        found = [self._reject(Reject(*record), errors[record.line]) for record in late.records()]
        return sorted([*early, *found], key=attrgetter("line"))

    def _reject(self, row: Reject, errors: list[CellError]) -> Reject:
        ordered = sorted(errors, key=lambda error: self._place(error.column))
        return Reject(row.line, row.row, row.cells, None, tuple(ordered))

    def _place(self, column: str | None) -> int:
        return self._table.column_names.index(column) if column else 0


def _not_in(lines: pa.Int64Array, errors: KeyErrors) -> pa.BooleanArray:
    return pc.invert(pc.is_in(lines, value_set=pa.array(errors, pa.int64())))
