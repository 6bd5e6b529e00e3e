"""Making a preview: the file opened as for a load, in less time and from its beginning."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import FileIO
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import BinaryIO

from dbuploader.csvfile.dialect import LabelMap
from dbuploader.csvfile.model import DELIMITER_NAMES, FileError, is_blank
from dbuploader.csvfile.reader import CsvSketch, sketch_csv
from dbuploader.preview.model import Preview, PreviewColumn, PreviewProblem
from dbuploader.preview.rows import FirstRows
from dbuploader.workbooks.content import Content, Wanted, open_as
from dbuploader.workbooks.process import Workspace
from dbuploader.workbooks.sheet import NoSuchSheet, SheetInfo
from muster.contracts.encodings import NAMES, find_codec
from muster.contracts.uploads import PREVIEW_BYTES

_WORKBOOKS_AT_ONCE = 2
_PLACE_SECONDS = 5.0
_SECONDS = 20.0
_MOST_COLUMNS = 200
_ENCODINGS = {find_codec(name): name for name in reversed(NAMES)}


class NoPlace(Exception):
    """As many workbooks are read for previews as may be at once."""


class _TookTooLong(Exception):
    """The workbook is read no further."""


class Previews:
    """Makes previews, of two workbooks at once, which may have `most_unpacked` bytes unpacked.

    One more waits for `place_seconds`.
    """

    def __init__(self, most_unpacked: int, place_seconds: float = _PLACE_SECONDS) -> None:
        self._most_unpacked = most_unpacked
        self._place_seconds = place_seconds
        self._places = BoundedSemaphore(_WORKBOOKS_AT_ONCE)

    def make(self, file: BinaryIO, wanted: Wanted, *, is_cut: bool) -> Preview:
        """The preview of `file`, of which more follows if `is_cut`.

        Raises NoPlace where no workbook can be read just now, and OSError.
        """
        nothing = Preview(wanted.table.name)
        try:
            with self._place(wanted), open_as(file, wanted, _workspace(self._most_unpacked)) as it:
                return _read(it, wanted, is_cut=is_cut)
        except NoSuchSheet as error:
            return replace(nothing, problems=(_failure(error),), sheets=error.sheets)
        except FileError as error:
            return replace(nothing, problems=(_failure(error),))
        except _TookTooLong:
            message = (
                f"The workbook was not read within {_SECONDS:g} seconds, as long as a preview may "
                "take. It can be uploaded all the same."
            )
            return replace(nothing, problems=(PreviewProblem("no-preview", message),))

    @contextmanager
    def _place(self, wanted: Wanted) -> Iterator[None]:
        if not wanted.is_workbook:
            yield
            return
        if not self._places.acquire(timeout=self._place_seconds):
            raise NoPlace
        try:
            yield
        finally:
            self._places.release()


def _workspace(most_bytes: int) -> Workspace:
    return Workspace(_new_file, most_bytes, partial(_check_time, time.monotonic() + _SECONDS))


def _new_file() -> FileIO:
    return TemporaryFile(buffering=0)


def _check_time(until: float) -> None:
    if time.monotonic() > until:
        raise _TookTooLong


def _read(content: Content, wanted: Wanted, *, is_cut: bool) -> Preview:
    table, options = wanted.table, wanted.options
    sketch = sketch_csv(content.stream, table, content.how, PREVIEW_BYTES, is_cut=is_cut)
    labels = LabelMap(table, content.how.columns)
    first = FirstRows(table, options, sketch)
    error = sketch.error or first.error
    sheets = () if content.sheet is None else tuple(content.sheet.all)
    found = Preview(
        table=table.name,
        header=_header(sketch, labels, options.header),
        columns=_columns(sketch, labels)[:_MOST_COLUMNS],
        rows=tuple(replace(row, cells=row.cells[:_MOST_COLUMNS]) for row in first.shown),
        problems=(
            *([] if error is None else [_failure(error)]),
            *_several_sheets(sheets if options.sheet is None else ()),
            *first.problems(),
        ),
        read=first.read,
    )
    if content.sheet is not None:
        return replace(found, sheet=content.sheet.name, sheets=sheets)
    encoding = _ENCODINGS[find_codec(sketch.records.codec)]
    return replace(found, encoding=encoding, delimiter=DELIMITER_NAMES[sketch.layout.delimiter])


def _failure(error: FileError) -> PreviewProblem:
    return PreviewProblem(error.code, error.detail, fails=True)


def _header(sketch: CsvSketch, labels: LabelMap, asked: str) -> str | None:
    if not sketch.layout.labels:
        is_known = sketch.error is None or sketch.error.code != "unknown-header"
        return "absent" if is_known else None
    return "present" if asked == "present" or labels.is_header(sketch.layout.labels) else None


def _columns(sketch: CsvSketch, labels: LabelMap) -> tuple[PreviewColumn, ...]:
    layout = sketch.layout
    if not layout.labels:
        return tuple(PreviewColumn(None, column or "") for column in layout.columns)
    further = len(layout.columns) - len(layout.labels)
    return tuple(
        PreviewColumn(label, column or ("" if is_blank(label) else labels.column(label)))
        for label, column in zip((*layout.labels, *[""] * further), layout.columns, strict=True)
    )


def _several_sheets(sheets: Sequence[SheetInfo]) -> list[PreviewProblem]:
    visible = [sheet for sheet in sheets if sheet.visible]
    if len(visible) < 2:
        return []
    message = (
        f"The workbook has {len(visible)} sheets, and one of them is read: the first with a header "
        "of the table or, if none has any, with anything in it. sheet= names another"
    )
    return [PreviewProblem("several-sheets", message)]
