"""MySQL or MariaDB as a service's database: `mysql://user:password@host:3306/database`.

Several hosts, `host1,host2:3307`, are the members of one replication group, or a primary and its
replicas: connections go to the one that takes writes, which may be another after each failure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mysql.connector import errors
from sqlalchemy import Connection, Engine, ExceptionContext, Table, create_engine, event
from sqlalchemy.exc import DBAPIError

from muster import weather
from muster.database import (
    AccessDenied,
    ConstraintViolated,
    Database,
    DatabaseUnavailable,
    FilesRefused,
    RowsDamaged,
    StatementInterrupted,
    WriteConflict,
)
from muster.database.mysql import admission, session
from muster.database.mysql.admission import prove_reads, prove_session, prove_writes, takes_writes
from muster.database.mysql.connection import MysqlConnection, Target, connect, parse_all
from muster.database.mysql.fence import Fence, address_of
from muster.database.mysql.migration_lock import LockRow, named_lock

_RECYCLE_SECONDS = 1800
_POOL_SECONDS = 10
_ANALYZE_SECONDS = 2
# MySQL would answer by those of up to a day ago; MariaDB, which knows no such variable, passes over
# what is between the marks.
_WITH_STATISTICS_OF_NOW = (
    "SET @sizes = NULL /*!80000 , SESSION information_schema_stats_expiry = 0 */"
)
_SIZES = (
    "SELECT table_name, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
)

_FILES_REFUSED = {
    1148,  # not allowed with this version
    2068,  # the client was not told to allow it
    3948,  # local_infile is off (MySQL)
    4166,  # local_infile is off (MariaDB)
}
# Never with unique_checks = 0, too: MariaDB then fills an empty table in one go, and 11.8.9 hangs
# with all of its clients if the table is read meanwhile. https://jira.mariadb.org/browse/MDEV-515
_UNCHECKED = "SET SESSION foreign_key_checks = 0"
_CHECKED = "SET SESSION foreign_key_checks = 1"
_CONSTRAINTS = {1022, 1062, 1216, 1452, 1557, 1586}

# The driver raises these without a number.
_TIMEOUTS = (errors.ConnectionTimeoutError, errors.ReadTimeoutError, errors.WriteTimeoutError)

# After these a connection is to be made anew, by which the member that takes writes is found.
_NOT_THE_PRIMARY = {1047, 1290, 1836, 3100, 3796, 3797}
_READ_ONLY_SERVER = 1290

_SHOW_VARIABLES = "SHOW VARIABLES WHERE Variable_name IN ({})".format(
    ", ".join(f"'{name}'" for name in (*admission.NAMES, *session.NAMES))
)


class MysqlDialect:
    """A database on a MySQL or MariaDB server. Raises ConfigurationError."""

    takes_files = True
    writes_alone = False

    def __init__(
        self,
        url: str,
        *,
        allow_multi_primary: bool = False,
        exclusive: bool = False,
        trial: Table | None = None,
        has_gtids: bool = False,
        waits_for_group: bool = False,
        answer_seconds: int | None = None,
    ) -> None:
        """See open_database.

        A server without GTIDs is refused if `has_gtids`. With `waits_for_group` each transaction
        first waits for what its group has committed, and so for the group. No answer takes longer
        than `answer_seconds`, if given.
        """
        self._targets = parse_all(url)
        if answer_seconds is not None:
            shorter = [min(each.answer_seconds, answer_seconds) for each in self._targets]
            self._targets = [
                replace(each, answer_seconds=seconds)
                for each, seconds in zip(self._targets, shorter, strict=True)
            ]
        self._target = self._targets[0]
        self._first = 0
        self._allow_multi_primary = allow_multi_primary
        self._fence = Fence() if exclusive else None
        self._trial = trial
        self._has_gtids = has_gtids
        self._waits_for_group = waits_for_group
        self._is_proven = False

    def create_engine(self, files: Path | None = None, /) -> Engine:
        """An engine whose reads see one snapshot and whose writes see what is committed.

        A write that waited for a row goes on from its newest version (READ COMMITTED): it neither
        locks gaps, for which two loads of new keys would deadlock, nor fails where MariaDB finds
        a row newer than a snapshot (error 1020).
        """
        engine = create_engine(
            "mysql+mysqlconnector://",
            creator=partial(self._connect, files),
            # Parameters are tuples in the statements' order, as SQLite takes them.
            paramstyle="format",
            pool_size=self._target.connections,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            pool_use_lifo=True,
            # Every transaction is ended where it began; another ROLLBACK would be a round trip.
            pool_reset_on_return=None,
        )
        event.listen(engine, "begin", _begin)
        if len(self._targets) > 1:
            event.listen(engine, "handle_error", self._look_elsewhere)
        if self._fence is not None:
            event.listen(engine, "close", self._fence.give_up)
        return engine

    def weather_of(self, error: DBAPIError) -> type[DatabaseUnavailable] | None:
        """Whether the server was away, shut the connection or asked to try again."""
        number = error.orig.errno if isinstance(error.orig, errors.Error) else None
        if number in weather.MYSQL_INTERRUPTED:
            return StatementInterrupted
        if number in weather.MYSQL_CONFLICTS:
            return WriteConflict
        if number in weather.MYSQL_DENIED:
            return AccessDenied
        lost = error.connection_invalidated or isinstance(error.orig, _TIMEOUTS)
        return DatabaseUnavailable if lost or number in weather.MYSQL else None

    @contextmanager
    def alone(self, engine: Engine, /) -> Iterator[None]:
        """Hold a lock of the server, or one that all members of its cluster see."""
        with engine.connect() as connection:
            variables: Any = connection.exec_driver_sql(_SHOW_VARIABLES).all()
        if admission.cluster_of(dict(variables)) is None:
            with named_lock(engine, self._target.lock_seconds):
                yield
        else:
            with (
                closing(Database(self)) as own,
                LockRow(own).held(engine, self._target.lock_seconds),
            ):
                yield

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
        """Insert rows by LOAD DATA LOCAL.

        With LOCAL the server makes a warning of each mistake and goes on. Here each is raised:
        https://dev.mysql.com/doc/refman/8.4/en/load-data.html
        """
        quoted = connection.dialect.identifier_preparer.quote
        statement = (
            f"LOAD DATA LOCAL INFILE '{_literal(path)}' {'REPLACE ' * replace}"
            f"INTO TABLE {quoted(table)} CHARACTER SET utf8mb4 "
            "FIELDS TERMINATED BY '\\t' ESCAPED BY '' LINES TERMINATED BY '\\n' "
            f"({', '.join(quoted(column) for column in columns)})"
        )
        connection.exec_driver_sql(_UNCHECKED)
        try:
            taken = connection.exec_driver_sql(statement).rowcount
            warnings = connection.exec_driver_sql("SHOW WARNINGS LIMIT 5").all()
        except DBAPIError as error:
            if isinstance(error.orig, errors.Error) and error.orig.errno in _FILES_REFUSED:
                connection.exec_driver_sql(_CHECKED)
                raise FilesRefused(str(error.orig)) from error
            # Nobody may use it again without its checks, and switching them on here would hide the
            # error if the connection is lost.
            connection.invalidate()
            raise
        connection.exec_driver_sql(_CHECKED)
        if {code for _, code, _ in warnings} & _CONSTRAINTS:
            raise ConstraintViolated(f"LOAD DATA into {table}: {warnings}")
        # A row counts as one, and so does one that it takes the place of.
        if warnings or taken != rows() * (1 + replace):
            raise RowsDamaged(
                f"LOAD DATA counted {taken} for {rows()} rows into {table}: {warnings}"
            )

    def interrupt(self, engine: Engine, connection: Connection, /) -> None:
        """Have the server end the statement, which an account may do with its own.

        Not its connection: a server that is sent a file shuts that down, but may leave it open, and
        the sender waits as long as an answer may take.
        """
        driver: Any = connection.connection.driver_connection
        with engine.connect() as other:
            if address_of(other) != driver.address:
                return
            other.exec_driver_sql(f"KILL QUERY {driver.connection_id}")

    def end_others(self, connection: Connection, /) -> int:
        """Have the server end their connections, which an account may do with its own."""
        return 0 if self._fence is None else self._fence.end_others(connection)

    def analyze(self, connection: Connection, table: str, /) -> None:
        """Run ANALYZE TABLE, which needs the table's definition to itself."""
        quoted = connection.dialect.identifier_preparer.quote(table)
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {_ANALYZE_SECONDS}")
        try:
            connection.exec_driver_sql(f"ANALYZE NO_WRITE_TO_BINLOG TABLE {quoted}").all()
        finally:
            seconds = self._target.lock_seconds
            connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {seconds}")

    def sizes(self, connection: Connection, /) -> Mapping[str, int]:
        """As the server's statistics say."""
        connection.exec_driver_sql(_WITH_STATISTICS_OF_NOW)
        return {name: int(size or 0) for name, size in connection.exec_driver_sql(_SIZES)}

    def _connect(self, files: Path | None) -> MysqlConnection:
        # Here and not by an event: before those SQLAlchemy asks a server what an old one can't say.
        target, connection = self._open_primary(files)
        with _closed_on_error(connection):
            if not self._is_proven:
                self._is_proven = self._prove(connection, target)
            if self._fence is not None:
                self._fence.admit(connection)
        return connection

    def _open_primary(self, files: Path | None) -> tuple[Target, MysqlConnection]:
        """A connection to the host that takes writes, if there is a choice; begins at the last."""
        if len(self._targets) == 1:
            return self._target, self._open(self._target, files)
        first, failure = self._first, errors.Error()
        for place in range(first, first + len(self._targets)):
            place %= len(self._targets)
            try:
                connection = self._open(self._targets[place], files)
            except errors.Error as error:
                failure = error
            else:
                self._first = place
                return self._targets[place], connection
        raise failure

    def _look_elsewhere(self, context: ExceptionContext) -> None:
        """Have the pool make its connections anew, those that a former primary has, too."""
        number = getattr(context.original_exception, "errno", None)
        if number in _NOT_THE_PRIMARY or isinstance(context.original_exception, _TIMEOUTS):
            context.is_disconnect = True
        if context.is_disconnect:
            # It may be the one that does not know yet that it is the primary no more.
            self._first = (self._first + 1) % len(self._targets)

    def _open(self, target: Target, files: Path | None = None) -> MysqlConnection:
        connection = connect(target, files)
        with _closed_on_error(connection), closing(connection.cursor()) as cursor:
            admission.refuse_vitess(connection.server_info or "", target)
            cursor.execute(session.BEFORE_ALL)
            variables = _show_variables(cursor)
            waits = admission.admit(variables, target, self._allow_multi_primary)
            if self._has_gtids:
                admission.require_gtids(variables, target)
            cluster = admission.cluster_of(variables)
            if self._waits_for_group and cluster is not None:
                waits = (cluster.wait,)
            connection.must_write = len(self._targets) > 1
            if connection.must_write and not takes_writes(variables):
                raise errors.OperationalError(f"{target} is read-only", errno=_READ_ONLY_SERVER)
            server = admission.name_of(variables, target)
            session.admit(variables, server)
            session.set_session(cursor, variables, server, self._target.lock_seconds)
            for statement in waits:
                cursor.execute(statement)
        return connection

    def _prove(self, connection: MysqlConnection, target: Target) -> bool:
        """Whether all is proven; raises DatabaseRefused."""
        with closing(connection.cursor()) as cursor:
            variables = _show_variables(cursor)
        server = admission.name_of(variables, target)
        prove_session(variables, self._target.lock_seconds, server)
        prove_reads(connection, server)
        if self._trial is None:
            return True
        with closing(self._open(target)) as other:
            return prove_writes(connection, other, self._trial, server)


@contextmanager
def _closed_on_error(connection: MysqlConnection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _show_variables(cursor: Any) -> dict[str, str]:
    cursor.execute(_SHOW_VARIABLES)
    return dict(cursor.fetchall())


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("muster_write", True)
    # Without autocommit a transaction begins by itself; this is for that one alone.
    connection.exec_driver_sql(session.READ_COMMITTED if write else session.READ_ONLY)


def _literal(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")
