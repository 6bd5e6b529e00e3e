"""The employment database: the real port over a SQLite file, with MySQL's way to take files.

What a driver raises is MySQL's, and what it means is decided by the adapter's own function. A
transaction whose connection is lost is rolled back, and each further statement of it is refused, as
SQLAlchemy does.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from mysql.connector import errors
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.pool import QueuePool

from dbuploader.db.schema import metadata as of_loader
from muster.contracts.tables.sql import metadata as declared
from muster.database import Database, DatabaseUnavailable, FilesRefused
from muster.database.mysql import MysqlDialect
from muster.database.sqlite import SqliteDialect
from tests.faults.ports import ANSWER
from tests.simulator.scheduler import Process
from tests.simulator.world import World

_LOST, _DEADLOCK, _LOCK_WAIT = 2013, 1213, 1205
_PASSED_BY = ("BEGIN", "SET ", "SHOW ")


def _gone() -> DatabaseUnavailable:
    return DatabaseUnavailable("gone")


class Transaction:
    """One that is open, of which process, and whether its connection is lost."""

    def __init__(self, process: Process, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.lost = False

    def lose(self) -> None:
        """The server ends the connection, and rolls back."""
        self.lost = True
        driver: Any = self.connection.connection.driver_connection
        driver.rollback()


class Server:
    """The database's server: one for all histories, emptied before each."""

    def __init__(self) -> None:
        # A file, as others must be able to read while one writes.
        self._directory = TemporaryDirectory(prefix="muster-simulator-")
        connect = partial(_connect, Path(self._directory.name) / "employment.db")
        self._keeper = connect()
        self._keeper.execute("PRAGMA journal_mode = WAL")
        self.engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
        declared.create_all(self.engine)
        of_loader.create_all(self.engine)
        self._tables = [*reversed(declared.sorted_tables), *of_loader.sorted_tables]
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "before_cursor_execute", self._on_statement)
        self.open: list[Transaction] = []
        self._world: World | None = None

    def empty(self, world: World) -> None:
        """Begin a history of `world`."""
        self.open.clear()
        self._world = world
        self._keeper.rollback()
        self._keeper.execute("BEGIN IMMEDIATE")
        for table in self._tables:
            self._keeper.execute(f"DELETE FROM {table.name}")
        self._keeper.execute("INSERT INTO journal_head VALUES (1, 0, NULL)")
        self._keeper.execute("COMMIT")

    def transaction_of(self, connection: Connection) -> Transaction | None:
        """The one that is open on the connection."""
        return connection.get_execution_options().get("simulated")

    def end_those_of_others(self, process: Process) -> int:
        """End the connections of all other loaders; returns how many were open."""
        others = [each for each in self.open if each.process is not process and not each.lost]
        for transaction in others:
            transaction.lose()
        return len(others)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What is committed; raises sqlite3.OperationalError while it is locked."""
        return self._keeper.execute(statement).fetchall()

    def _on_statement(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        transaction = self.transaction_of(connection)
        if transaction is None or statement.startswith(_PASSED_BY):
            return
        self.meet_statement(transaction, "database.statement")

    def meet_statement(self, transaction: Transaction, call: str) -> None:
        """What a statement of the transaction meets."""
        world = cast(World, self._world)
        _refuse_lost(transaction)
        try:
            fault = world.meet(transaction.process, call, lambda: driver_error(_LOST))
        except DBAPIError:
            transaction.lose()
            raise
        _refuse_ended(transaction)
        if fault == "conflict":
            transaction.lose()
            raise driver_error(_DEADLOCK)
        if fault == "duplicate":
            # Of this the server rolls back the statement only.
            raise driver_error(_LOCK_WAIT)


def driver_error(number: int) -> DBAPIError:
    """What SQLAlchemy makes of an error of MySQL's driver."""
    original = errors.OperationalError(msg="as it was decided", errno=number)
    return DBAPIError("", {}, original, connection_invalidated=number == _LOST)


def _refuse_lost(transaction: Transaction) -> None:
    if transaction.lost:
        raise PendingRollbackError("Can't reconnect until invalid transaction is rolled back.")


def _refuse_ended(transaction: Transaction) -> None:
    """Raise what a statement meets whose connection was ended while it was sent."""
    if transaction.lost:
        raise driver_error(_LOST)


class Dialect:
    """What is MySQL's about it: the files that it takes, and what an error means."""

    writes_alone = False

    def __init__(self, server: Server, process: Process, *, takes_files: bool) -> None:
        self._server = server
        self._process = process
        self.takes_files = takes_files
        self.refuses_files = False

    def create_engine(self, _files: Path | None, /) -> Engine:
        """The one for all."""
        return self._server.engine

    def weather_of(self, error: DBAPIError) -> type[DatabaseUnavailable] | None:
        """What the adapter of its driver says."""
        if isinstance(error.orig, sqlite3.Error):
            return SqliteDialect.weather_of(cast(Any, self), error)
        return MysqlDialect.weather_of(cast(Any, self), error)

    def alone(self, _engine: Engine, /) -> AbstractContextManager[None]:
        """Nobody migrates."""
        return nullcontext()

    def load_file(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        path: Path,
        rows: Callable[[], int],
        /,
        *,
        replace: bool,
    ) -> None:
        """By the adapter's own function, over a session that takes its statements."""
        if self.refuses_files:
            raise FilesRefused("not allowed")
        session = Session(self._server, connection, table, columns, path, replace=replace)
        MysqlDialect.load_file(
            cast(Any, self), cast(Any, session), table, columns, path, rows, replace=replace
        )

    def interrupt(self, _engine: Engine, _connection: Connection, /) -> None:
        """Nothing runs beside."""

    def end_others(self, _connection: Connection, /) -> int:
        """End the connections of all other loaders."""
        return self._server.end_those_of_others(self._process)

    def analyze(self, _connection: Connection, _table: str, /) -> None:
        """Nothing to do."""

    def sizes(self, connection: Connection, /) -> Mapping[str, int]:
        """As the adapter of what keeps the tables here says."""
        return SqliteDialect.sizes(cast(Any, self), connection)


class Session:
    """A session of MySQL's as LOAD DATA needs it: the rows go into SQLite."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        path: Path,
        *,
        replace: bool,
    ) -> None:
        self.dialect = connection.dialect
        self._server = server
        self._connection = connection
        self._table = table
        self._columns = columns
        self._path = path
        self._replace = replace

    def exec_driver_sql(self, statement: str) -> "Answer":
        """What the server answers."""
        transaction = self._server.transaction_of(self._connection)
        if transaction is not None:
            _refuse_lost(transaction)
        if not statement.startswith("LOAD DATA"):
            return Answer(0)
        if transaction is not None:
            self._server.meet_statement(transaction, "database.load_file")
        return Answer(self._insert())

    def _insert(self) -> int:
        rows = [line.split("\t") for line in cast(Any, self._path).text.decode().splitlines()]
        names, marks = ", ".join(self._columns), ", ".join("?" * len(self._columns))
        driver: Any = self._connection.connection.driver_connection
        verb = "INSERT OR REPLACE" if self._replace else "INSERT"
        driver.executemany(f"{verb} INTO {self._table} ({names}) VALUES ({marks})", rows)
        return len(rows) * (1 + self._replace)

    def invalidate(self) -> None:
        """Give up the connection: the transaction is rolled back."""
        self._connection.invalidate()


class Answer:
    """To a statement: as many rows as it wrote, and no warning."""

    def __init__(self, rowcount: int) -> None:
        self.rowcount = rowcount

    def all(self) -> list[tuple[Any, ...]]:
        """The warnings."""
        return []


class SimulatedDatabase(Database):
    """The port, as one process has it."""

    def __init__(
        self, world: World, server: Server, process: Process, *, takes_files: bool
    ) -> None:
        self._world = world
        self._server = server
        self._process = process
        super().__init__(Dialect(server, process, takes_files=takes_files), Path("files"))

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        name = "database.write" if write else "database.read"
        self._world.meet(self._process, name, _gone)
        with super()._transaction(write=write) as connection:
            transaction = Transaction(self._process, connection)
            connection = connection.execution_options(simulated=transaction)
            self._server.open.append(transaction)
            try:
                yield connection
                if write:
                    self._world.meet(self._process, "database.commit", _gone)
                    _refuse_ended(transaction)
            finally:
                self._server.open.remove(transaction)
        if write:
            self._world.meet(self._process, "database.commit" + ANSWER, _gone)

    def take_over(self) -> int:
        """End the connections of other loaders."""
        self._world.meet(self._process, "database.take_over", _gone)
        ended = super().take_over()
        self._world.meet(self._process, "database.take_over" + ANSWER, _gone)
        return ended

    def close(self) -> None:
        """Nothing to give up: the pool is everybody's."""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("muster_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
