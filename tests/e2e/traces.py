"""Where a text stands in what a suite keeps, whatever form it is kept in there.

That is the home of the suite, and the database and the CSV store where they are servers.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pymongo import MongoClient

from dbuploader.journal.changes import unpack_rows
from muster.database import open_database
from tests.e2e.families import Family

# What Arrow's IPC streams begin with.
_PART = b"\xff\xff\xff\xff"
_OF_SQLITE = ("-wal", "-shm", "-journal")


def places_of(family: Family, text: str) -> set[str]:
    """The files, and the tables of databases, that hold the text."""
    found = _places_below(family.home, text.encode())
    if url := family.environment.get("MUSTER_EMPLOYMENT_DATABASE_URL"):
        found |= {f"employment: {table}" for table, value in _rows(url) if text.encode() in value}
    if url := family.environment.get("MUSTER_CSV_STORE_URL"):
        found |= {f"store: {name}" for name, document in _documents(url) if text in document}
    return found


def _places_below(home: Path, wanted: bytes) -> set[str]:
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


def _rows(url: str) -> Iterator[tuple[str, bytes]]:
    """All values in the tables of MySQL's database, each with its table."""
    with closing(open_database(url)) as database, database.read() as connection:
        for (table,) in connection.exec_driver_sql("SHOW TABLES").all():
            for row in connection.exec_driver_sql(f"SELECT * FROM `{table}`"):
                for value in row:
                    yield table, _as_bytes(value)


def _documents(url: str) -> Iterator[tuple[str, str]]:
    """All documents of MongoDB's database as text, chunks of files too, each with its collection.

    What is ASCII in binary values stands in the text as it is.
    """
    with MongoClient[dict[str, object]](url) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            for document in database[name].find():
                yield name, str(document)


def _as_bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    if value.startswith(_PART):
        return str(unpack_rows(value).to_pylist()).encode()
    return value
