"""A connection as SQLAlchemy needs it: what it raises is an error of the DBAPI."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _mysql_connector import MySQLInterfaceError  # type: ignore[import-not-found]
from mysql.connector.connection_cext import CMySQLConnection
from mysql.connector.constants import ClientFlag
from mysql.connector.errors import InterfaceError, get_mysql_exception

from muster.database.mysql.url import Target


class Connection(CMySQLConnection):
    """The driver's connection, in its C form: the other one takes several times as long.

    Its own COMMIT and ROLLBACK raise MySQLInterfaceError, which is no error of the DBAPI; its other
    calls translate that.
    """

    def commit(self) -> None:
        """Commit; raises the driver's Error."""
        with _translating():
            super().commit()

    def rollback(self) -> None:
        """Roll back; raises the driver's Error."""
        with _translating():
            super().rollback()


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
