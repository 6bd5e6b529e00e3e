"""How every SQLite file of the embedded default is opened: durable, and shared by processes."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOG_BYTES = 16 * 1024**2
"""How much disk space the write-ahead log keeps after a larger transaction."""

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # In WAL mode only FULL makes a commit survive a power cut: a 202 depends on it.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA journal_size_limit={LOG_BYTES}",
)
BUSY_SECONDS = 30.0
_BUSY_PAUSE = 0.01
# Meanwhile nobody can write.
_SHORTENING_SECONDS = 0.2


def configure(execute: Callable[[str], object], busy_seconds: float) -> None:
    """Set a new connection up by `execute`; raises sqlite3.OperationalError after `busy_seconds`.

    Two connections that turn a new file to WAL at once get SQLITE_BUSY without the busy timeout
    being heeded (https://sqlite.org/wal.html, "Sometimes Queries Return SQLITE_BUSY").
    """
    deadline = time.monotonic() + busy_seconds
    for pragma in PRAGMAS:
        while True:
            try:
                execute(pragma)
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(_BUSY_PAUSE)


def shorten_log(connection: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    """Give back the room of a log that is larger than LOG_BYTES, unless somebody reads from it.

    For a connection without a transaction, to the file `path`. By itself SQLite gives it back when
    a later transaction begins the log anew: https://sqlite.org/pragma.html#pragma_wal_checkpoint
    Raises nothing; `busy_seconds` are the connection's own.
    """
    with suppress(OSError, sqlite3.Error):
        if path.with_name(f"{path.name}-wal").stat().st_size <= LOG_BYTES:
            return
        connection.execute(f"PRAGMA busy_timeout={_SHORTENING_SECONDS * 1000:.0f}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout={busy_seconds * 1000:.0f}")


class SqliteFile:
    """One SQLite file with its schema; safe to share between threads and processes.

    Each transaction has a connection to itself. The file is made at first use. Whatever SQLite or
    the disk refuses is raised as `unavailable`.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        unavailable: type[Exception],
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._path = path
        self._schema = schema
        self._unavailable = unavailable
        self._busy_seconds = busy_seconds
        self._idle: list[sqlite3.Connection] = []
        # SQLite's own waiting sleeps and is unfair; threads of one process queue here instead.
        self._write_turn = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode, nobody else's meanwhile, to read from."""
        try:
            connection = self._idle.pop() if self._idle else self._connect()
            try:
                yield connection
            except (sqlite3.Error, OSError):
                connection.close()
                raise
            except BaseException:
                self._idle.append(connection)
                raise
            self._idle.append(connection)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(f"{self._path}: {error}") from error

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed durably when the block ends well, else rolled back.

        It takes the write lock at once, so that no read in it can be out of date when it writes. If
        it need not be `durable`, a power cut may undo it, though no end of a process does.
        """
        with self._write_turn, self.connection() as connection:
            # https://sqlite.org/pragma.html#pragma_synchronous: in WAL mode NORMAL does not wait
            # for the disk. What later transactions make durable includes this one.
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has SQLite roll back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            shorten_log(connection, self._path, self._busy_seconds)

    def close(self) -> None:
        """Close the connections that nobody holds."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            configure(connection.execute, self._busy_seconds)
            connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        return connection
