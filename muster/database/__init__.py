"""The database port: a SQLAlchemy engine, and transactions that say whether a retry can help."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from muster.adapters import Adapter, load_adapter
from muster.backends.servers import ServerRefused
from muster.observability.spans import span
from muster.weather import Unavailable

ADAPTERS = {
    "sqlite": Adapter("muster.database.sqlite", "SqliteDialect"),
    "mysql": Adapter("muster.database.mysql", "MysqlDialect", extra="mysql"),
}


class DatabaseUnavailable(Unavailable):
    """The transaction was rolled back for a reason that passes: run all of it again."""

    awaits = "database"


class WriteConflict(DatabaseUnavailable):
    """Another transaction has written the same rows, and nothing of this one took place."""


class StatementInterrupted(DatabaseUnavailable):
    """Somebody ended a statement, or a limit of time that it met did."""


class AccessDenied(DatabaseUnavailable):
    """The server refuses the account, or what it does; the account may not exist yet."""


class DatabaseRefused(ServerRefused, DatabaseUnavailable):
    """The server can't be used as it is; every new connection checks again."""


class ConstraintViolated(Exception):
    """The transaction was rolled back because a row broke a key or another constraint."""


class FilesRefused(Exception):
    """The database takes no rows from files. The transaction goes on."""


class RowsDamaged(Exception):
    """The database did not take the rows as they are."""


class Dialect(Protocol):
    """What differs between databases."""

    takes_files: bool
    """Whether `load_file` may succeed."""

    writes_alone: bool
    """Whether a write transaction makes all others wait."""

    def create_engine(self, files: Path | None, /) -> Engine:
        """An engine with a pool that survives a restart of its server; connects at first use.

        From the directory `files`, and from no other, it may send files to the server.
        """

    def weather_of(self, error: DBAPIError) -> type[DatabaseUnavailable] | None:
        """What the error is raised as, if the same transaction may succeed when it is run again."""

    def alone(self, engine: Engine, /) -> AbstractContextManager[None]:
        """Keep other migrations of this database out where a transaction does not; or raise.

        They may run on other members of the server's cluster.
        """

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
        """See Database.load_file."""

    def interrupt(self, engine: Engine, connection: Connection, /) -> None:
        """See Database.interrupt."""

    def end_others(self, connection: Connection, /) -> int:
        """See Database.take_over."""

    def analyze(self, connection: Connection, table: str, /) -> None:
        """See Database.analyze."""

    def sizes(self, connection: Connection, /) -> Mapping[str, int]:
        """See Database.sizes."""


class Reads(Protocol):
    """Where to read: a database, or what answers in its place."""

    def read(self) -> AbstractContextManager[Connection]:
        """See Database.read."""


class Transactions(Reads, Protocol):
    """Where to read and write: a database, or a transaction that is open already."""

    def write(self) -> AbstractContextManager[Connection]:
        """See Database.write."""


class Database:
    """One database of one service."""

    def __init__(self, dialect: Dialect, files: Path | None = None) -> None:
        self._dialect = dialect
        self.engine = dialect.create_engine(files)
        self.files = files if dialect.takes_files else None
        self.writes_alone = dialect.writes_alone

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the data. Raises DatabaseUnavailable."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends well, else rolled back.

        Raises DatabaseUnavailable or ConstraintViolated, each after the rollback. When COMMIT
        itself was answered by DatabaseUnavailable, the transaction may have taken place.
        """
        with self._transaction(write=True) as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A write transaction that changes the schema; a second one at the same time waits.

        Each statement may take effect at once, so all must be safe to run again. Raises as write()
        does, and DatabaseUnavailable when the other one does not end.
        """
        with self._own_errors(), self._dialect.alone(self.engine), self.write() as connection:
            yield connection

    def load_file(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        path: Path,
        rows: Callable[[], int],
        *,
        replace: bool = False,
    ) -> None:
        """Insert the lines of the file `path` into `table`, in the transaction.

        `rows` says how many there are, once they are read: the file may be a pipe.

        With `replace` each takes the place of the row that has its key, and must differ from it.

        The file is in the directory `files`, in UTF-8: in each line, which ends with LF, the values
        of `columns` with a tab between them, neither quoted nor escaped. Foreign keys
        are not checked. Raises FilesRefused, RowsDamaged if what was inserted is not what should
        have been, and ConstraintViolated.
        """
        self._dialect.load_file(connection, table, columns, path, rows, replace=replace)

    def interrupt(self, connection: Connection) -> None:
        """Have what another thread does on the connection end soon, by an error.

        The transaction is to be rolled back then. Raises nothing: if it can't be done, or the
        database does not heed it just now, it goes on.
        """
        with suppress(SQLAlchemyError):
            self._dialect.interrupt(self.engine, connection)

    def take_over(self) -> int:
        """End the connections of other processes that opened the database as `exclusive`.

        One that is frozen would hold what it has locked for as long as the server keeps its
        connections, and one that is not finds its transaction lost. Returns how many were ended.
        Raises DatabaseUnavailable.
        """
        with self._own_errors(), self.engine.connect() as connection:
            return self._dialect.end_others(connection)

    def analyze(self, table: str) -> None:
        """Have the server count what its plans for `table` depend on.

        Raises nothing: if it can't be done, or not within seconds, the plans stay as they are.
        """
        with suppress(SQLAlchemyError), self.engine.connect() as connection:
            self._dialect.analyze(connection, table)

    def sizes(self) -> Mapping[str, int]:
        """How many bytes each table takes with its indexes, by what is counted anyway.

        No row is read for it, therefore a server estimates. Of a database that does not count its
        tables apart it is the size of all, under the name "". Raises DatabaseUnavailable.
        """
        with self.read() as connection:
            return self._dialect.sizes(connection)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        # Not a span for each statement: the instrumentation of SQLAlchemy fails on 2.1.
        name = "write transaction" if write else "read transaction"
        system = {"db.system.name": self.engine.dialect.name}
        with self._own_errors(), span(name, "client", system), self.engine.connect() as connection:
            connection = connection.execution_options(muster_write=write)
            with connection.begin():
                yield connection

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise DatabaseUnavailable("no connection is free") from error
        except IntegrityError as error:
            raise ConstraintViolated(str(error.orig)) from error
        except PendingRollbackError as error:
            # A statement after the one that met it.
            raise DatabaseUnavailable("the connection was lost in the transaction") from error
        except DBAPIError as error:
            weather = self._dialect.weather_of(error)
            if weather is None:
                raise
            raise weather(str(error.orig)) from error

    def check(self) -> None:
        """Return if the database answers; raises DatabaseUnavailable."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give up the pool's connections."""
        self.engine.dispose()


def open_database(
    url: str,
    files: Path | None = None,
    *,
    allow_multi_primary: bool = False,
    exclusive: bool = False,
    trial: Table | None = None,
) -> Database:
    """The database at `url`; connects at first use. Raises ConfigurationError.

    `files` is a private directory from which rows may be sent to a server. A member of a cluster
    with several writers is used if `allow_multi_primary`, and else refused. Of the processes that
    open it as `exclusive`, one works at a time: see Database.take_over. A service that writes names
    in `trial` a table of its own, whose key is one text and whose other columns are numbers: on a
    row of it, which is rolled back, a server proves once that it keeps transactions apart.
    """
    adapter = load_adapter("database", url, ADAPTERS)
    dialect = adapter(
        url, allow_multi_primary=allow_multi_primary, exclusive=exclusive, trial=trial
    )
    return Database(dialect, files)
