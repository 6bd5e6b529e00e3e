"""SQLite as a service's database: `sqlite:///path`, one file shared by the processes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from muster import weather
from muster.adapters import path_of
from muster.backends.sqlite_file import BUSY_SECONDS, configure, log_of, shorten_log
from muster.database import DatabaseUnavailable, FilesRefused

_NOT_MIGRATED = ("no such table: ", "no such column: ")
# What a connection remembers until it is given back.
_WROTE = "wrote"


class SqliteDialect:
    """The embedded default's database."""

    takes_files = False
    writes_alone = True

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = BUSY_SECONDS,
        allow_multi_primary: bool = False,  # noqa: ARG002 - a file is no cluster
        exclusive: bool = False,  # noqa: ARG002 - its locks are the process's
        trial: Table | None = None,  # noqa: ARG002 - what SQLite keeps is known
    ) -> None:
        self._path = path_of(url)
        self._log = log_of(self._path)
        self._busy_seconds = busy_seconds

    def create_engine(self, _files: Path | None = None, /) -> Engine:
        """An engine whose write transactions take the write lock when they begin."""
        engine = create_engine(
            f"sqlite:///{self._path}",
            connect_args={"timeout": self._busy_seconds, "check_same_thread": False},
            pool_size=16,
            max_overflow=16,
            pool_timeout=10,
        )
        event.listen(engine, "do_connect", self._make_directory)
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "checkin", self._shorten_log)
        return engine

    def weather_of(self, error: DBAPIError) -> type[DatabaseUnavailable] | None:
        """Whether the file can't be had for now, or is not migrated yet."""
        code: Any = getattr(error.orig, "sqlite_errorcode", None)
        is_weather = isinstance(code, int) and code & 0xFF in weather.SQLITE
        not_migrated = str(error.orig).startswith(_NOT_MIGRATED)
        return DatabaseUnavailable if is_weather or not_migrated else None

    def alone(self, _engine: Engine, /) -> AbstractContextManager[None]:
        """Nothing to do: a write transaction keeps all others out."""
        return nullcontext()

    def load_file(
        self,
        _connection: Connection,
        _table: str,
        _columns: Sequence[str],
        _path: Path,
        _rows: Callable[[], int],
        /,
        *,
        replace: bool,  # noqa: ARG002 - none are taken
    ) -> None:
        """Raises FilesRefused."""
        raise FilesRefused("SQLite reads no files of rows")

    def interrupt(self, _engine: Engine, connection: Connection, /) -> None:
        """Interrupt its statement."""
        driver: Any = connection.connection.driver_connection
        driver.interrupt()

    def end_others(self, _connection: Connection, /) -> int:
        """Nothing that could be done from outside: a lock of a file ends with its process."""
        return 0

    def analyze(self, _connection: Connection, _table: str, /) -> None:
        """Nothing to do: its plans of these tables, by key, need no statistics."""

    def sizes(self, connection: Connection, /) -> Mapping[str, int]:
        """Of the file: to tell tables apart, all of their pages would have to be read."""
        pages, bytes_each = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "page_size")
        )
        return {"": pages * bytes_each}

    def _make_directory(self, *_event: object) -> None:
        # Where it can't be made, SQLite says next that it can't open the file.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)

    def _configure(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN comes too late and never IMMEDIATE: transactions are begun below.
        connection.isolation_level = None
        configure(connection.execute, self._busy_seconds)

    def _shorten_log(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        if entry.info.pop(_WROTE, False) and connection is not None:
            shorten_log(connection, self._log, self._busy_seconds)


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("muster_write", True)
    connection.info[_WROTE] = write
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
