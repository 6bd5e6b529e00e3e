"""A connection as SQLAlchemy needs it: what it raises is an error of the DBAPI."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _mysql_connector import MySQLInterfaceError  # type: ignore[import-not-found]
from mysql.connector.connection_cext import CMySQLConnection
from mysql.connector.constants import ClientFlag
from mysql.connector.errors import InterfaceError, get_mysql_exception

from muster.database.mysql.url import Target


class Connection(CMySQLConnection):
    """The driver's connection, in its C form: the other one takes several times as long.

    Its own COMMIT and ROLLBACK raise MySQLInterfaceError, which is no error of the DBAPI; its other
    calls translate that. It asks the server whether it is there before each statement, which finds
    that out by itself. And to close it, or to end its transaction, while another thread waits for
    an answer would crash.
    """

    def __init__(self, **options: Any) -> None:
        self._state = threading.Lock()
        self._waits = False
        self._is_given_up = False
        super().__init__(**options)

    def cmd_query(self, *args: Any, **options: Any) -> Any:
        """Send a statement and wait for the answer; raises the driver's Error."""
        with self._state:
            self._waits = True
        try:
            return super().cmd_query(*args, **options)
        finally:
            with self._state:
                self._waits = False
                is_given_up = self._is_given_up
            if is_given_up:
                super().close()

    def close(self) -> None:
        """End the connection: now, or as soon as a statement that another thread sent is over."""
        with self._state:
            self._is_given_up = self._waits
        if not self._is_given_up:
            super().close()

    def is_connected(self) -> bool:
        """Whether it was not closed; `ping` asks the server."""
        return self._cmysql is not None and self._cmysql.connected()

    def commit(self) -> None:
        """Commit; raises the driver's Error."""
        with self._alone(), _translating():
            super().commit()

    def rollback(self) -> None:
        """Roll back; raises the driver's Error."""
        with self._alone(), _translating():
            super().rollback()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._state:
            if self._waits:
                raise InterfaceError("another thread waits for an answer on this connection")
        yield


def connect(target: Target, files: Path | None = None) -> Connection:
    """A new connection, which may send files from `files`; raises the driver's Error."""
    options: dict[str, object] = {}
    if files is not None:
        options["allow_local_infile_in_path"] = str(files)
    if target.ca_file is not None:
        options |= {"ssl_ca": target.ca_file, "ssl_verify_cert": True, "ssl_verify_identity": True}
    return Connection(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database,
        # The driver's default collation is unknown to MariaDB 11.5 and 11.6.
        charset="utf8mb4",
        collation="utf8mb4_bin",
        connection_timeout=target.connect_seconds,
        read_timeout=target.answer_seconds,
        write_timeout=target.answer_seconds,
        # An UPDATE counts the rows it found, also those that had the values already.
        client_flags=[ClientFlag.FOUND_ROWS, -ClientFlag.MULTI_STATEMENTS],
        buffered=True,
        **options,
    )


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except MySQLInterfaceError as error:
        # As the driver's other calls have it: not every error has a number.
        if hasattr(error, "errno"):
            raise get_mysql_exception(error.errno, error.msg, error.sqlstate) from error
        raise InterfaceError(str(error)) from error
