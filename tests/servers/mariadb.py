"""A private MariaDB, from Debian's package, and databases on it or on a server that is given."""

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from muster.database import Database, DatabaseUnavailable, open_database
from tests.servers.process import ServerProcess, free_port, require

_PROGRAM = Path("/usr/sbin/mariadbd")
_INSTALL = Path("/usr/bin/mariadb-install-db")


class MariaServer(ServerProcess):
    """MariaDB on a port of its own, the same after each start, with `options` of mariadbd."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self.port = free_port()
        self._options = options

    def url(self, database: str = "", user: str = "root", **options: str | int) -> str:
        """The URL of a database, with `options` of the adapter."""
        query = f"?{urlencode(options)}" if options else ""
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}{query}"

    def start(self) -> None:
        """Run it, on data made at the first start."""
        if not self._data.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._install()
        super().start()

    def argv(self) -> Sequence[str]:
        """The server's command."""
        return [
            str(_PROGRAM),
            "--no-defaults",
            *_as_root(),
            f"--datadir={self._data}",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            # What was committed survives the server's death, though not the machine's.
            "--innodb-flush-log-at-trx-commit=2",
            *self._options,
        ]

    def environment(self) -> Mapping[str, str]:
        """Where temporary tables go: one that starts deletes all of them, also another server's."""
        return {"TMPDIR": str(self.directory)}

    def answers(self) -> bool:
        """Whether an administrator can log in."""
        with closing(administration(self.url(connect_seconds=10))) as database:
            try:
                database.check()
            except DatabaseUnavailable:
                return False
            return True

    def _install(self) -> None:
        done = subprocess.run(
            [
                str(_INSTALL),
                "--no-defaults",
                *_as_root(),
                f"--datadir={self._data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-log-file-size=16M",
            ],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def require_mariadb() -> None:
    """Skip or fail where MariaDB is not installed."""
    require(_PROGRAM.exists() and _INSTALL.exists(), "MariaDB (Debian's mariadb-server)")


@contextmanager
def new_database(server_url: str, name: str | None = None) -> Iterator[str]:
    """The URL of an empty database of its own, which is dropped at the end.

    `server_url` is an administrator's, without a database.
    """
    with (
        closing(administration(server_url)) as administrator,
        made_database(server_url, administrator, name) as url,
    ):
        yield url


@contextmanager
def made_database(
    server_url: str, administrator: Database, name: str | None = None
) -> Iterator[str]:
    """As new_database, by an administrator who is there already."""
    name = name or f"muster_{uuid.uuid4().hex}"
    run(administrator, f"CREATE DATABASE `{name}`")
    yield with_database(server_url, name)
    run(administrator, f"DROP DATABASE `{name}`")


def administration(server_url: str) -> Database:
    """The server's own database, as its administrator has it."""
    return open_database(with_database(server_url, "mysql"), allow_multi_primary=True)


def run(database: Database, statement: str) -> None:
    """Run one statement in a transaction."""
    with database.write() as connection:
        connection.exec_driver_sql(statement)


def with_database(server_url: str, name: str) -> str:
    """`server_url` with its database named."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def _as_root() -> Sequence[str]:
    # It refuses to run as root unless it is told to.
    return ["--user=root"] if os.geteuid() == 0 else []
