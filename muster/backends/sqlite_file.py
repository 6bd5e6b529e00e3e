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
# Others, of other processes, wait for a transaction.
_MOST_PARTS = 32
_LONG_SECONDS = 5.0


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


def log_of(path: Path) -> Path:
    """The write-ahead log of the file `path`."""
    return path.with_name(f"{path.name}-wal")


def shorten_log(connection: sqlite3.Connection, log: Path, busy_seconds: float) -> None:
    """Give back the room of a log that is larger than LOG_BYTES, unless somebody reads from it.

    For a connection without a transaction, to the file whose `log` it is. By itself SQLite gives it
    back when a later transaction begins the log anew: https://sqlite.org/pragma.html#pragma_wal_checkpoint
    Raises nothing; `busy_seconds` are the connection's own.
    """
    with suppress(OSError, sqlite3.Error):
        if log.stat().st_size <= LOG_BYTES:
            return
        connection.execute(f"PRAGMA busy_timeout={_SHORTENING_SECONDS * 1000:.0f}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout={busy_seconds * 1000:.0f}")


class _Transaction:
    """A write transaction that threads of this process share, one after the other."""

    def __init__(self, connection: sqlite3.Connection, *, durable: bool) -> None:
        self.connection = connection
        self.durable = durable
        self.parts = 0
        self.ended = threading.Event()
        self.error: BaseException | None = None

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of it, undone by itself if the block raises."""
        self.parts += 1
        self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._undo_part()
            raise
        self.connection.execute("RELEASE part")

    def _undo_part(self) -> None:
        # A full disk has SQLite roll all of it back by itself.
        if not self.connection.in_transaction:
            return
        try:
            self.connection.execute("ROLLBACK TO part")
            self.connection.execute("RELEASE part")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")

    def commit(self) -> None:
        """Have all parts take place; raises sqlite3.Error where they were lost."""
        self.connection.execute("COMMIT")


class SqliteFile:
    """One SQLite file with its schema; safe to share between threads and processes.

    The file is made at first use. Whatever SQLite or the disk refuses is raised as `unavailable`.

    To wait for the disk costs as much for one transaction as for many. So what threads write while
    others wait to do so is committed at once, and each of them is answered then.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        unavailable: type[Exception],
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._path = path
        self._log = log_of(path)
        self._schema = schema
        self._unavailable = unavailable
        self._busy_seconds = busy_seconds
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        # SQLite's own waiting sleeps and is unfair; threads of one process queue here instead.
        self._write_turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        # Whoever has the turn may use it.
        self._open: _Transaction | None = None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode, nobody else's meanwhile, to read from."""
        try:
            connection = self._take()
            try:
                yield connection
            except (sqlite3.Error, OSError):
                connection.close()
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed durably when the block ends well, else rolled back.

        It takes the write lock at once, so that no read in it can be out of date when it writes. If
        it need not be `durable`, a power cut may undo it, though no end of a process does.
        """
        transaction = self._take_turn(durable)
        try:
            with transaction.part():
                yield transaction.connection
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error
        finally:
            self._end_turn(transaction)
        self._await_end(transaction)

    def close(self) -> None:
        """Close the connections that nobody holds; whoever holds one gives it back to be closed."""
        self._is_closed = True
        # Whether there is one is not asked before: another thread may take it meanwhile.
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        with suppress(IndexError):
            return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._is_closed:
            self.close()

    def _take_turn(self, durable: bool) -> _Transaction:
        """The transaction that is open, or a new one: ours alone until our turn ends."""
        with self._counting:
            self._waiting += 1
        try:
            self._write_turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            if self._open is not None and durable and not self._open.durable:
                self._commit(self._open)
            if self._open is None:
                self._open = self._begin(durable)
        except BaseException as error:
            self._write_turn.release()
            if isinstance(error, sqlite3.Error | OSError):
                raise self._refused(error) from error
            raise
        return self._open

    def _begin(self, durable: bool) -> _Transaction:
        connection = self._take()
        try:
            # https://sqlite.org/pragma.html#pragma_synchronous: in WAL mode NORMAL does not wait
            # for the disk. What later transactions make durable includes this one.
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            connection.close()
            raise
        return _Transaction(connection, durable=durable)

    def _end_turn(self, transaction: _Transaction) -> None:
        """Leave the transaction to those that wait for their turn, or commit it."""
        try:
            lost = not transaction.connection.in_transaction
            if lost or not self._waiting or transaction.parts >= _MOST_PARTS:
                self._commit(transaction)
        finally:
            self._write_turn.release()

    def _commit(self, transaction: _Transaction) -> None:
        """End the transaction, in our turn; it says whether that was refused."""
        self._open = None
        try:
            transaction.commit()
        except BaseException as error:
            transaction.error = error
            transaction.connection.close()
            if not isinstance(error, sqlite3.Error):
                raise
        else:
            shorten_log(transaction.connection, self._log, self._busy_seconds)
            self._give_back(transaction.connection)
        finally:
            transaction.ended.set()

    def _await_end(self, transaction: _Transaction) -> None:
        while not transaction.ended.wait(_LONG_SECONDS):
            # Whoever was to commit it may have been interrupted while it waited for its turn.
            with self._write_turn:
                if self._open is transaction:
                    self._commit(transaction)
        if transaction.error is not None:
            raise self._refused(transaction.error) from transaction.error

    def _refused(self, error: BaseException) -> Exception:
        return self._unavailable(f"{self._path}: {error}")

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
