"""Validating one file: which of its rows are to be loaded, and what is wrong with the others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from dbuploader.csvfile.reader import open_csv
from dbuploader.db.lookup import existing_keys
from dbuploader.scratch import Scratch
from dbuploader.validation.chunks import CheckedChunk, ColumnChecker
from dbuploader.validation.duplicates import DuplicateKeyFilter
from dbuploader.validation.foreign_keys import BadKeys, ForeignKeyChecker, KnownParents
from dbuploader.validation.rejects import Rejects, RejectsFull
from dbuploader.validation.rows import FlawedRow
from dbuploader.validation.warnings import TextWarnings
from dbuploader.workbooks.content import Content
from muster.contracts.rejects import CellError, Reject
from muster.contracts.tables import Table
from muster.contracts.uploads import (
    MOST_WARNINGS,
    Options,
    UploadWarning,
)
from muster.database import Transactions


class ValidationResult:
    """What validating a file has found so far; what is not bounded is on disk.

    Its rejects take at most `most_reject_bytes`. `only_inserted` are the keys of good rows that
    must not change a row that is there. `labels` are the columns in the order of the file, `places`
    those of their cells in a record, from 0, `repeats` the rows that repeat an earlier one.
    """

    def __init__(self, table: Table, most_reject_bytes: int, scratch: Scratch) -> None:
        self.table = table
        self.duplicates = DuplicateKeyFilter(table, scratch)
        self.rejects = Rejects(most_reject_bytes, scratch)
        self.labels = table.column_names
        self.places = tuple(range(len(self.labels)))
        self.read = 0
        self.repeats = 0
        self.only_inserted = BitMap()
        self.warnings: list[UploadWarning] = []
        self.warnings_total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything, and give back the room on disk."""
        self.duplicates.clear()
        self.rejects.clear()
        self.labels = self.table.column_names
        self.read = self.repeats = 0
        self.only_inserted = BitMap()
        self.warnings.clear()
        self.warnings_total = 0

    def count(self, records: int, rejects: Iterable[Reject]) -> None:
        """Count further records, of which `rejects` are rejected.

        Raises RejectsFull: then none counts as read from the first one whose reject is lost.
        """
        self.read += records
        try:
            self.rejects.add(rejects)
        except RejectsFull as full:
            self.read = full.row - 1
            raise

    def warn(self, warnings: Sequence[UploadWarning], total: int | None = None) -> None:
        """Keep the first warnings and the first of each code; count them all.

        Of `total` warnings, `warnings` are the first.
        """
        self.warnings_total += len(warnings) if total is None else total
        for warning in warnings:
            if len(self.warnings) < MOST_WARNINGS:
                self.warnings.append(warning)
            else:
                self._make_place_for(warning)

    def _make_place_for(self, warning: UploadWarning) -> None:
        """Keep the first warning of its code in place of one whose code has several."""
        codes = [each.code for each in self.warnings]
        if warning.code not in codes:
            last = max(place for place, code in enumerate(codes) if codes.count(code) > 1)
            self.warnings[last] = warning


KeyErrors = dict[int, list[CellError]]
"""What is wrong with the keys of rows, by their physical lines."""


class FileValidator:
    """Validates one file by its table's declaration and by what the database holds.

    Rows with keys in `erased` are rejected.
    """

    def __init__(
        self,
        database: Transactions,
        options: Options,
        checked: ValidationResult,
        parents: KnownParents | None = None,
        erased: BitMap | None = None,
    ) -> None:
        self._database = database
        self._options = options
        self._checked = checked
        self._table = checked.table
        self._references = ForeignKeyChecker(self._table, parents)
        self._erased = erased or BitMap()
        keys = [self._table.key] if options.mode == "insert" or self._erased else []
        self._looked_up = [*keys, *(foreign.column for foreign in self._table.foreign_keys)]

    def run(self, content: Content) -> Iterator[pa.RecordBatch]:
        """Validate all of the file; yields, chunk by chunk, the rows that are to be loaded.

        The result keeps what else is found. Raises FileError, RejectsFull, DatabaseUnavailable and
        StoreUnavailable.
        """
        options = self._options
        records = open_csv(content.stream, self._table, content.how)
        self._checked.labels, self._checked.places = records.labels, records.places
        self._checked.warn(records.warnings)
        checker = ColumnChecker(self._table, records.labels, options.dates)
        doubts = TextWarnings(self._table, records.codec)
        for chunk in records.chunks():
            yield self._take(checker.check(chunk), doubts)

    def _take(self, chunk: CheckedChunk, doubts: TextWarnings) -> pa.RecordBatch:
        errors = self._find_key_errors(chunk)
        good = chunk.select(_not_in(chunk.lines, errors)) if errors else chunk
        if chunk.only_inserted:
            lines = pa.array(chunk.only_inserted, pa.int64())
            keys = good.rows.column(self._table.key)
            self._checked.only_inserted.update(
                keys.filter(pc.is_in(good.lines, value_set=lines)).to_pylist()
            )
        rows, repeats = self._checked.duplicates.add(good.lines, good.rows)
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
        """By line, the keys that the table already has of rows which may only be inserted."""
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
        key = self._table.key
        bad: list[BadKeys] = []
        if not self._references.knows(keys):
            with self._database.read() as connection:
                bad += self._references.missing(connection, keys)
        if self._erased and (gone := {each for each in keys[key] if each in self._erased}):
            bad.append(BadKeys(key, gone, self._gone))
        if self._options.mode == "insert":
            with self._database.read() as connection:
                taken = existing_keys(connection, self._table.name, keys[key])
            bad.append(BadKeys(key, taken, self._taken))
        return bad

    def _taken(self, key: int) -> CellError:
        message = (
            f"{self._table.name} has {key} already, and this upload only inserts: take the row "
            "out, or upload with mode=upsert"
        )
        return CellError("primary-key", self._table.key, message)

    def _gone(self, key: int) -> CellError:
        message = f"{self._table.name} {key} was erased after this file was sent: leave the row out"
        return CellError("erased", self._table.key, message)

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
