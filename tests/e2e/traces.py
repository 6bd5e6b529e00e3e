"""Where a text stands below the home of an embedded suite, whatever form it is kept in there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dbuploader.journal.changes import unpack_rows

# What Arrow's IPC streams begin with.
_PART = b"\xff\xff\xff\xff"
_OF_SQLITE = ("-wal", "-shm", "-journal")


def places_of(home: Path, text: str) -> set[str]:
    """The files, and the tables of databases, that hold the text."""
    wanted = text.encode()
    found = set()
    for path in home.rglob("*"):
        if not path.is_file() or path.name.endswith(_OF_SQLITE):
            continue
        name = str(path.relative_to(home))
        if path.suffix == ".db":
            found |= {f"{name}: {table}" for table, value in _values(path) if wanted in value}
        # Lines of emails are broken where they are long.
        elif wanted in path.read_bytes().replace(b"=\n", b"") or wanted in name.encode():
            found.add(name)
    return found


def _values(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield table, _as_bytes(value)


def _as_bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    if value.startswith(_PART):
        return str(unpack_rows(value).to_pylist()).encode()
    return value
