"""LOAD DATA: rows as one stream of TSV into the database's server, if it takes files.

The file is a named pipe: what one thread writes into it another sends, without a disk.
"""

import fcntl
import os
import threading
import uuid
from functools import partial
from pathlib import Path

import pyarrow as pa
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dbuploader.arrow import rows_schema
from dbuploader.db.rows import write_rows
from dbuploader.db.tsv import to_tsv
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.sqlite_rows import SqliteWriter
from dbuploader.scratch import weather_of_disk
from muster.contracts.tables import Table
from muster.database import Database, FilesRefused

log = structlog.get_logger(__name__)

_BYTES = 1024 * 1024
# On Linux only; elsewhere the system's 64 KiB must do.
_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)
# What a server does after the last row of a statement must take less than an answer may.
_MOST_LINES = 10_000_000
_LEAST_LINES = 100_000


class RowFiles:
    """Whether the server takes rows from files: once it has refused, it isn't asked again.

    `directory` is where it takes them from, None if it doesn't. A statement takes `most_lines`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = database.files
        self.most_lines = _MOST_LINES

    def refused(self, error: FilesRefused) -> None:
        """Send rows by INSERT from now on."""
        self.directory = None
        log.warning("the server takes no files: rows go by INSERT", error=str(error))

    def unanswered(self, lines: int) -> None:
        """Send half as many as these, which may have taken longer than an answer may."""
        if lines >= 2 * _LEAST_LINES:
            self.most_lines = lines // 2


class NobodyReads(Exception):
    """The reader of the pipe is gone."""


class RowPipe:
    """A pipe of lines, at `path` in `directory` until its reader leaves.

    One thread opens, writes and closes it. Another has the file read, then calls `leave`. Making
    one may raise DiskUnavailable.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"{uuid.uuid4().hex}.tsv"
        self.lines = 0
        self.is_whole = False
        self._is_open = threading.Event()
        with weather_of_disk():
            # Keeps a file descriptor: the reader waits for the writer to open the pipe.
            self._end = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.mkfifo(self.path, 0o600)
            except BaseException:
                os.close(self._end)
                raise

    def open(self) -> None:
        """Return when a reader has opened the file, or has left."""
        os.close(self._end)
        self._end = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        self._is_open.set()
        if _SET_SIZE is not None:
            fcntl.fcntl(self._end, _SET_SIZE, _BYTES)

    def write(self, text: bytes) -> None:
        """Return when all of `text`, whole lines, is in the pipe. Raises NobodyReads."""
        self.lines += text.count(b"\n")
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[os.write(self._end, rest) :]
        except BrokenPipeError as error:
            raise NobodyReads from error

    def close(self, *, whole: bool = True) -> None:
        """Let the reader reach the end, `whole` if all lines were written."""
        self.is_whole = whole
        os.close(self._end)

    def leave(self) -> None:
        """Say that nothing more is read: a writer that waits for it waits no longer."""
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_open.wait()
        os.close(reader)
        self.path.unlink()


class BulkWriter:
    """Writes rows by calls in `thread`, in the transaction of `connection`, in their order.

    Rows that follow each other go by one statement, so that the server is never idle in between.
    """

    def __init__(
        self, connection: Connection, table: Table, files: RowFiles, thread: BackgroundWorker
    ) -> None:
        self._connection = connection
        self._table = table
        self._files = files
        self._thread = thread
        is_sqlite = connection.dialect.name == "sqlite"
        self._in_sqlite = SqliteWriter(connection, table) if is_sqlite else None
        self._pipe: RowPipe | None = None
        self._replacing = False

    def write(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        """Insert `rows`, or `replace` those of their keys."""
        if self._files.directory is None:
            self._thread.submit(partial(self._write_by_statements, rows, replace=replace))
            return
        text = to_tsv(rows)
        if self._pipe is None or self._replacing != replace:
            self.end()
            self._pipe = self._begin(self._files.directory, replace=replace)
        try:
            self._pipe.write(text)
        except NobodyReads:
            # Its error says why.
            self._thread.finish()
            raise
        if self._pipe.lines >= self._files.most_lines:
            self.end()

    def end(self, *, whole: bool = True) -> None:
        """End the statement; call it before another call is submitted to the thread."""
        if self._pipe is not None:
            self._pipe.close(whole=whole)
            self._pipe = None

    def finish(self) -> None:
        """Have done what is left to do after the last row."""
        self.end()
        if self._in_sqlite is not None:
            self._thread.submit(self._in_sqlite.finish)

    def _write_by_statements(self, rows: pa.RecordBatch, *, replace: bool) -> None:
        if self._in_sqlite is not None:
            self._in_sqlite.write(rows, replace=replace)
        else:
            write_rows(self._connection, self._table.name, rows, replace=replace)

    def _begin(self, directory: Path, *, replace: bool) -> RowPipe:
        pipe, self._replacing = RowPipe(directory), replace
        try:
            self._thread.submit(partial(self.load, pipe, replace=replace))
        except BaseException:
            pipe.close()
            pipe.path.unlink()
            raise
        pipe.open()
        return pipe

    def load(self, pipe: RowPipe, *, replace: bool) -> None:
        """Have the server read the pipe to its end; called in the thread.

        Raises FilesRefused with nothing read, RowsDamaged and ConstraintViolated.
        """
        names = rows_schema(self._table).names
        try:
            self._files.database.load_file(
                self._connection,
                self._table.name,
                names,
                pipe.path,
                lambda: pipe.lines,
                replace=replace,
            )
        except FilesRefused as error:
            self._files.refused(error)
            raise
        except DBAPIError as error:
            if error.connection_invalidated and pipe.is_whole:
                self._files.unanswered(pipe.lines)
            raise
        finally:
            pipe.leave()
