"""How a server is reached: what a `mysql://` URL says, and a connection as SQLAlchemy needs it."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from _mysql_connector import MySQLInterfaceError  # type: ignore[import-not-found]
from mysql.connector.connection_cext import CMySQLConnection
from mysql.connector.constants import ClientFlag
from mysql.connector.errors import InterfaceError, OperationalError, get_mysql_exception

from muster.adapters import ConfigurationError

# Not by urlsplit(), which takes no list in which a host has brackets (CVE-2025-0938).
_HOSTS = re.compile(r"([^:/?#]+://(?:[^/?#]*@)?)([^/?#@]+)(.*)", re.DOTALL)
_FORM = "mysql://user:password@host:3306/database"
_NUMBERS = ("connections", "connect_seconds", "answer_seconds", "lock_seconds")
_OPTIONS = ("ca_file", *_NUMBERS)
_GONE_AWAY = 2006


@dataclass(frozen=True)
class Target:
    """Where the database is, and how it is used.

    `connections` is the most that one process opens. `answer_seconds` is how long one answer may
    take; `lock_seconds`, how long a statement waits for a lock. With `ca_file`, PEM certificates of
    authorities, the server must prove who it is.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    ca_file: str | None = None
    connections: int = 16
    connect_seconds: int = 5
    answer_seconds: int = 60
    lock_seconds: int = 20

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse(url: str) -> Target:
    """What `url` says; raises ConfigurationError, which shows neither password nor user."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        user, password = unquote(parts.username or "", "utf-8", "strict"), parts.password or ""
        password, database = unquote(password, "utf-8", "strict"), unquote(parts.path[1:])
    except ValueError:
        # Without its cause, which may show the password.
        raise _refused("it can't be read; special characters are written as %XX") from None
    if not (parts.hostname and user and database) or "/" in database or parts.fragment:
        raise _refused("it must name a user, a host and a database; / # ? and @ are written as %XX")
    return Target(
        host=parts.hostname,
        port=3306 if port is None else port,
        user=user,
        password=password,
        database=database,
        **_options(query),
    )


def parse_all(url: str) -> Sequence[Target]:
    """What `url` says of each of the hosts that it lists, as in `mysql://u:p@a,b:3307/database`.

    Raises ConfigurationError, as parse() does.
    """
    return [parse(each) for each in each_host(url)]


def each_host(url: str) -> Sequence[str]:
    """The URLs, one for each of the hosts that `url` lists."""
    parts = _HOSTS.fullmatch(url)
    if parts is None:
        return [url]
    before, hosts, behind = parts.groups()
    return [before + host + behind for host in hosts.split(",")]


def _options(query: list[tuple[str, str]]) -> Mapping[str, Any]:
    options: dict[str, str | int] = {}
    for name, value in query:
        if name not in _OPTIONS:
            raise _refused(f"it has no option {name!r}; known are {', '.join(_OPTIONS)}")
        if name in options:
            raise _refused(f"it has the option {name} twice")
        if name not in _NUMBERS:
            options[name] = value
        elif value.isascii() and value.isdigit() and 0 < int(value) <= 3600:
            options[name] = int(value)
        else:
            raise _refused(f"its option {name} must be a number from 1 to 3600")
    if options.get("ca_file") == "":
        raise _refused("its option ca_file names no file")
    return options


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(f"The database URL can't be used: {reason}. Write {_FORM}.")


class MysqlConnection(CMySQLConnection):
    """The driver's connection, in its C form: the other one takes several times as long.

    Its own COMMIT and ROLLBACK raise MySQLInterfaceError, which is no error of the DBAPI; its other
    calls translate that. It asks the server whether it is there before each statement, which finds
    that out by itself. And to close it, or to end its transaction, while another thread waits for
    an answer would crash.

    Of one whose server `must_write`, the pool hears that it is gone once that takes no writes.
    """

    must_write = False

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

    @property
    def address(self) -> str:
        """Which server it is to."""
        return f"{self.server_host}:{self.server_port}"

    def is_connected(self) -> bool:
        """Whether it was not closed; `ping` asks the server."""
        return self._cmysql is not None and self._cmysql.connected()

    def ping(self, reconnect: bool = False, attempts: int = 1, delay: int = 0) -> None:
        """Return if the server is there, as it is to be; raises the driver's Error."""
        if not self.must_write:
            super().ping(reconnect, attempts, delay)
            return
        with closing(self.cursor()) as cursor:
            cursor.execute("SELECT @@GLOBAL.read_only")
            row: Any = cursor.fetchone()
        if row[0]:
            raise OperationalError("the server takes writes no more", errno=_GONE_AWAY)

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


def connect(target: Target, files: Path | None = None) -> MysqlConnection:
    """A new connection, which may send files from `files`; raises the driver's Error."""
    options: dict[str, object] = {}
    if files is not None:
        options["allow_local_infile_in_path"] = str(files)
    if target.ca_file is not None:
        options |= {"ssl_ca": target.ca_file, "ssl_verify_cert": True, "ssl_verify_identity": True}
    return MysqlConnection(
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
