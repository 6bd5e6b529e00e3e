"""MySQL or MariaDB as a service's database: `mysql://user:password@host:3306/database`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from muster.database import DatabaseUnavailable
from muster.database.mysql.connection import connect
from muster.database.mysql.localfiles import load_file
from muster.database.mysql.transience import is_transient
from muster.database.mysql.url import parse

_RECYCLE_SECONDS = 1800
_POOL_SECONDS = 10

_SQL_MODE = ",".join(
    (
        "STRICT_ALL_TABLES",
        "NO_ZERO_IN_DATE",
        "NO_ZERO_DATE",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "NO_ENGINE_SUBSTITUTION",
        "ONLY_FULL_GROUP_BY",
    )
)
# What a server or an account has for defaults changes nothing.
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = '{mode}', innodb_lock_wait_timeout = {lock_seconds}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
)
_LOCK = "CONCAT('muster.', SHA1(DATABASE()))"


class MysqlDialect:
    """A database on a MySQL or MariaDB server. Raises ConfigurationError."""

    takes_files = True

    def __init__(self, url: str) -> None:
        self._target = parse(url)

    def create_engine(self, files: Path | None = None, /) -> Engine:
        """An engine whose reads see one snapshot and whose writes see what is committed.

        A write that waited for a row goes on from its newest version (READ COMMITTED): it neither
        locks gaps, for which two loads of new keys would deadlock, nor fails where MariaDB finds
        a row newer than a snapshot (error 1020).
        """
        engine = create_engine(
            "mysql+mysqlconnector://",
            creator=partial(connect, self._target, files),
            # Parameters are tuples in the statements' order, as SQLite takes them.
            paramstyle="format",
            pool_size=self._target.connections,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            pool_use_lifo=True,
        )
        event.listen(engine, "connect", self._set_session)
        event.listen(engine, "begin", _begin)
        return engine

    def is_transient(self, error: DBAPIError) -> bool:
        """Whether the server was away, shut the connection or asked to try again."""
        return is_transient(error)

    @contextmanager
    def alone(self, engine: Engine, /) -> Iterator[None]:
        """Hold a named lock of the server, as each DDL statement ends a transaction there."""
        with engine.connect() as connection:
            get_lock = text(f"SELECT GET_LOCK({_LOCK}, :seconds)")
            if connection.scalar(get_lock, {"seconds": self._target.lock_seconds}) != 1:
                raise DatabaseUnavailable("another migration of the database does not end")
            try:
                yield
            finally:
                # The lock ends with its connection.
                connection.invalidate()

    def load_file(
        self, connection: Connection, table: str, columns: Sequence[str], path: Path, rows: int, /
    ) -> None:
        """Insert rows by LOAD DATA LOCAL."""
        load_file(connection, table, columns, path, rows)

    def _set_session(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for statement in _SESSION:
            cursor.execute(statement.format(mode=_SQL_MODE, lock_seconds=self._target.lock_seconds))
        cursor.close()


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("muster_write", True)
    # Without autocommit a transaction begins by itself; this is for that one alone.
    connection.exec_driver_sql(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED" if write else "SET TRANSACTION READ ONLY"
    )
