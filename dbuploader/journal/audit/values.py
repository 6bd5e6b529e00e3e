"""The values of rows, and of former rows: those that the stored files have.

The changes are gone through newest first. The rows that are there now must be what the last file
that held them says, and the former rows of a change what the last file before it says.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from dbuploader.arrow import bitmap_of, equal_rows, find_rows
from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.csvfile.reader import open_csv
from dbuploader.db.lookup import find_rows_of
from dbuploader.journal.audit.evidence import (
    Entry,
    Evidence,
    Finding,
    Findings,
    entries,
    former_parts,
    named,
    table_keys,
)
from dbuploader.journal.changes import INSERTED, REMOVED, UNCHANGED, UPDATED, WRITTEN
from dbuploader.validation.chunks import ColumnChecker
from muster.contracts.rejects import read_rejects
from muster.contracts.tables import Table, get_table, tables
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.filestore import FileNotStored
from muster.uploadstore import UploadNotFound
from muster.weather import FileDamaged

_NOW = None
_NOT_TO_BE_HAD = (FileDamaged, FileError, FileNotStored, UnreadableRecord, UploadNotFound)

Target = tuple[Entry | None, BitMap]
"""Keys whose values are to be compared: of the rows as they are now, or were before a change."""


def check_values(evidence: Evidence) -> Findings:
    """Rows, and former rows, have the values that the files which wrote them have."""
    pending: dict[str, list[Target]] = {
        name: [(_NOW, table_keys(evidence.connection, table))] for name, table in tables().items()
    }
    erased = {name: evidence.erased(name) for name in tables()}
    for entry in entries(evidence.connection, newest_first=True):
        if not entry.parts:
            continue
        name = entry.table
        evident = entry.keys(INSERTED, UPDATED, UNCHANGED)
        targets = [(later, held & evident) for later, held in pending[name] if held & evident]
        upload = _upload_of(evidence, entry) if targets else None
        if upload is not None:
            yield from _compare(evidence, get_table(name), upload, targets)
        written = entry.keys(*WRITTEN)
        if targets and upload is None:
            unseen = sum(len(keys & written) for _, keys in targets)
            if unseen:
                evidence.notes[f"values of {name} whose file is not there to compare"] += unseen
        settled = written if upload is None else written | evident
        left = [(later, held - settled) for later, held in pending[name]]
        pending[name] = [(later, held) for later, held in left if held]
        former = entry.keys(UPDATED, REMOVED) - erased[name]
        if former and entry.made is not None and entry.made.expired_at is None:
            pending[name].append((entry, former))


def _upload_of(evidence: Evidence, entry: Entry) -> Upload | None:
    """The upload whose CSV file is there and says what was loaded; None if there is none."""
    if entry.decided is None or (entry.made is not None and entry.made.kind != "upload"):
        return None
    try:
        upload = evidence.stores.uploads.get(entry.decided.upload_id)
        if upload.kind != "upload" or upload.files_removed is not None or upload.is_workbook:
            return None
        evidence.stores.open_file(upload).close()
    except _NOT_TO_BE_HAD:
        # The check of the files says so.
        return None
    return upload


def _compare(evidence: Evidence, table: Table, upload: Upload, targets: list[Target]) -> Findings:
    lost = BitMap.union(*(keys for _, keys in targets))
    try:
        for rows in _loaded_rows(evidence, table, upload):
            lost -= bitmap_of(rows.column(table.key))
            for later, keys in targets:
                some = _with_keys(rows, table, keys)
                if len(some):
                    yield from _compare_rows(evidence, table, upload, later, some)
    except _NOT_TO_BE_HAD:
        return
    if lost:
        where = f"the file of upload {upload.id}"
        yield Finding("values", where, f"rows {named(lost)} of {table.name}", "none of them")


def _compare_rows(
    evidence: Evidence, table: Table, upload: Upload, later: Entry | None, rows: pa.RecordBatch
) -> Findings:
    for actual in _actual(evidence, table, later, rows.column(table.key)):
        known, found = find_rows(rows.column(table.key), actual, table.key)
        present = rows.filter(known)
        differs = pc.invert(equal_rows(present, found))
        pairs = zip(
            present.filter(differs).to_pylist(), found.filter(differs).to_pylist(), strict=True
        )
        for expected, row in pairs:
            place = "" if later is None else f", as it was before {later}"
            where = f"{table.name} {row[table.key]}{place}"
            said = f"{_unlike(expected, row)} as in upload {upload.id}"
            yield Finding("values", where, said, _unlike(row, expected))


def _unlike(row: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join(f"{name} {row[name]!r}" for name in row if row[name] != other[name])


def _actual(
    evidence: Evidence, table: Table, later: Entry | None, keys: pa.Array
) -> Iterator[pa.RecordBatch]:
    """The rows as they are now, or were before that change."""
    if later is None or later.made is None:
        yield find_rows_of(evidence.connection, table, keys, lock=False).batch()
        return
    span = pc.min_max(keys).as_py()
    parts = former_parts(evidence.connection, later.made.entry, (span["min"], span["max"]))
    for _, rows in parts:
        yield rows


def _loaded_rows(evidence: Evidence, table: Table, upload: Upload) -> Iterator[pa.RecordBatch]:
    """The rows of the file that were not rejected; one with a repeated key comes again."""
    rejected = _rejected_lines(evidence, upload)
    options = upload.options
    columns = parse_columns(options.columns, table)
    how = CsvOptions(options.header, options.delimiter, options.encoding, columns)
    with evidence.stores.open_file(upload) as file:
        records = open_csv(file, table, how)
        checker = ColumnChecker(table, records.labels, options.dates)
        for chunk in records.chunks():
            checked = checker.check(chunk)
            if rejected:
                lines = [line not in rejected for line in checked.lines.to_pylist()]
                yield checked.rows.filter(pa.array(lines, pa.bool_()))
            else:
                yield checked.rows


def _rejected_lines(evidence: Evidence, upload: Upload) -> BitMap:
    if not upload.rows.rejected:
        return BitMap()
    with evidence.stores.files.open(upload.rejects_name) as stored:
        return BitMap(reject.line for reject in read_rejects(stored)[1])


def _with_keys(rows: pa.RecordBatch, table: Table, keys: BitMap) -> pa.RecordBatch:
    there = [key in keys for key in rows.column(table.key).to_pylist()]
    return rows.filter(pa.array(there, pa.bool_()))
