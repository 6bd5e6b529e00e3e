"""Copies of the databases as they were at one moment, while everything goes on writing to them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from embedded.errors import BackupError

_BUSY_SECONDS = 60.0
_PAGES = 2048

Copied = Callable[[Path, int, int], None]
"""Is called with a database, and how many of how many pages of it are copied."""


class Snapshots:
    """Read transactions on several databases, which hold each as it was when all were begun.

    Nothing was written to the first of them meanwhile.
    """

    def __init__(self, connections: Sequence[tuple[Path, sqlite3.Connection]]) -> None:
        self._connections = connections

    def copy(self, target_of: Callable[[Path], Path], copied: Copied) -> None:
        """Copy each database to its target, which is absent. Raises sqlite3.Error."""
        for path, connection in self._connections:
            target = target_of(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(0o600)

            def progress(_: int, remaining: int, total: int, path: Path = path) -> None:
                copied(path, total - remaining, total)

            with closing(sqlite3.connect(target)) as copy:
                connection.backup(copy, pages=_PAGES, progress=progress)
            # Its log can be written anew from here on.
            connection.execute("ROLLBACK")


@contextmanager
def snapshots(databases: Sequence[Path]) -> Iterator[Snapshots]:
    """Hold all databases as they are, until the block ends.

    Writers to the first one wait for the milliseconds that it takes, nobody for the copies. Raises
    BackupError.
    """
    with ExitStack() as stack:
        try:
            connections = [
                (path, stack.enter_context(closing(_connect(path)))) for path in databases
            ]
            with closing(_connect(databases[0])) as lock:
                lock.execute("BEGIN IMMEDIATE")
                for _, connection in connections:
                    connection.execute("BEGIN")
                    _touch(connection)
                lock.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise BackupError(f"A database can't be read: {error}.") from error
        yield Snapshots(connections)


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise BackupError(
            f"There is no {path}: set MUSTER_HOME to the directory of a suite that has run."
        )
    uri = f"{path.as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    with suppress(sqlite3.Error):
        # Reads the schema, so that a transaction begins at once.
        _touch(connection)
    return connection


def _touch(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
