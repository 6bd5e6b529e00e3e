"""Where a row came from: the physical line of the stored file of an upload that wrote it."""

import time
from functools import partial
from io import FileIO
from tempfile import TemporaryFile
from threading import Lock
from typing import Literal

import pyarrow.compute as pc
import structlog

from dbuploader.csvfile.model import FileError
from dbuploader.csvfile.reader import open_csv
from dbuploader.validation.chunks import ColumnChecker
from dbuploader.workbooks.content import Content, open_content
from dbuploader.workbooks.process import Workspace
from muster.contracts.rejects import read_rejects
from muster.contracts.tables import Table
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.filestore import FileNotStored
from muster.stores import Stores
from muster.uploadstore import UploadNotFound
from muster.weather import DiskUnavailable, FileDamaged, StoreUnavailable

log = structlog.get_logger(__name__)

MOST_BYTES = 16 * 1024**2
"""A larger file is not read."""
MOST_UNPACKED_BYTES = 64 * 1024**2
"""Nor is a workbook that has more unpacked."""

NoLine = Literal["removed", "too-large", "not-found"]
"""Why there is none: the file is not kept any more, or is too large, or was not read so far."""

_SECONDS = 1.0
_REMOVED = (FileNotStored, UploadNotFound)
_NOT_TO_BE_HAD = (FileDamaged, FileError, OSError, UnreadableRecord, ValueError)


class LineFinder:
    """Finds lines in the files of `stores`, for one request at a time: it takes a core."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._turn = Lock()

    def find_each(self, table: Table, key: int, uploads: list[str]) -> dict[str, int | NoLine]:
        """The physical line, from 1, of the row with that key in the file of each upload.

        They are sought for a second for all of them.
        """
        until = time.monotonic() + _SECONDS
        lines: dict[str, int | NoLine] = dict.fromkeys(uploads, "not-found")
        if not uploads or not self._turn.acquire(timeout=_SECONDS):
            return lines
        try:
            for upload_id in uploads:
                lines[upload_id] = self._find(table, key, upload_id, until)
        except (DiskUnavailable, StoreUnavailable, _TimeIsUp) as error:
            log.info("not all lines are sought", error=repr(error))
        finally:
            self._turn.release()
        return lines

    def _find(self, table: Table, key: int, upload_id: str, until: float) -> int | NoLine:
        try:
            upload = self._stores.uploads.get(upload_id)
            if upload.size > MOST_BYTES:
                return "too-large"
            workspace = Workspace(_new_file, MOST_UNPACKED_BYTES, partial(_check_time, until))
            with (
                self._stores.open_file(upload) as file,
                open_content(file, upload, workspace) as content,
            ):
                return self._line_in(content, upload, table, key, until) or "not-found"
        except _REMOVED:
            return "removed"
        except _NOT_TO_BE_HAD as error:
            log.info("no line of the file", upload_id=upload_id, error=repr(error))
            return "not-found"

    def _line_in(
        self, content: Content, upload: Upload, table: Table, key: int, until: float
    ) -> int | None:
        """The first line with that key whose row was not rejected."""
        records = open_csv(content.stream, table, content.how)
        checker = ColumnChecker(table, records.labels, upload.options.dates)
        for chunk in records.chunks():
            _check_time(until)
            checked = checker.check(chunk)
            has_key = pc.equal(checked.rows.column(table.key), key)
            for line in checked.lines.filter(has_key).to_pylist():
                if not self._is_rejected(upload, line):
                    return int(line)
        return None

    def _is_rejected(self, upload: Upload, line: int) -> bool:
        if not upload.rows.rejected:
            return False
        with self._stores.files.open(upload.rejects_name) as stored:
            _, rejects = read_rejects(stored)
            # They are in the order of the file.
            for reject in rejects:
                if reject.line >= line:
                    return reject.line == line
        return False


class _TimeIsUp(Exception):
    """Further lines are not sought."""


def _check_time(until: float) -> None:
    if time.monotonic() > until:
        raise _TimeIsUp


def _new_file() -> FileIO:
    return TemporaryFile(buffering=0)
