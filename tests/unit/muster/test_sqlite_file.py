"""The transactions on which the embedded broker and the embedded store are built."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from muster.backends.sqlite_file import LOG_BYTES, SqliteFile
from muster.database import Database, open_database

FULL = 2


class Unavailable(Exception):
    """What this file's owner says for everything that SQLite refuses."""


class Interrupted(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    schema = "CREATE TABLE IF NOT EXISTS notes (text TEXT PRIMARY KEY)"
    file = SqliteFile(tmp_path / "notes.db", schema, Unavailable)
    yield file
    file.close()


def write(file: SqliteFile, *texts: str, error: BaseException | None = None) -> None:
    with file.writing() as connection:
        for note in texts:
            connection.execute("INSERT INTO notes VALUES (?)", [note])
        if error is not None:
            raise error


def notes(file: SqliteFile) -> list[str]:
    with file.connection() as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY text")]


def test_a_commit_reaches_the_disk_before_it_is_answered(file: SqliteFile, tmp_path: Path) -> None:
    # Nothing short of a power cut shows it: https://sqlite.org/pragma.html#pragma_synchronous
    with file.connection() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (FULL,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    database = open_database(f"sqlite:///{tmp_path}/database.db")
    with database.write() as transaction:
        assert transaction.execute(text("PRAGMA synchronous")).scalar() == FULL
        assert transaction.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()


@pytest.mark.parametrize("error", [ValueError(), Interrupted()])
def test_a_block_that_raises_leaves_nothing(file: SqliteFile, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write(file, "half of it", error=error)

    write(file, "whole")
    assert notes(file) == ["whole"]


def test_what_sqlite_refuses_undoes_what_it_took(file: SqliteFile) -> None:
    with pytest.raises(Unavailable):
        write(file, "once", "once")

    assert notes(file) == []


def test_nothing_is_seen_before_the_block_has_ended(file: SqliteFile) -> None:
    with file.writing() as connection:
        connection.execute("INSERT INTO notes VALUES ('early')")
        assert notes(file) == []
    assert notes(file) == ["early"]


def test_only_one_writes_at_a_time(file: SqliteFile, tmp_path: Path) -> None:
    # Not even a transaction that has only read yet: what it read would be out of date.
    other = SqliteFile(tmp_path / "notes.db", "", Unavailable, busy_seconds=0)
    with file.writing(), pytest.raises(Unavailable), other.writing():
        pass
    other.close()


def log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def write_much(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (text BLOB)"))
        connection.execute(text(f"INSERT INTO notes VALUES (zeroblob({2 * LOG_BYTES}))"))


def test_a_large_transaction_gives_the_room_of_its_log_back(tmp_path: Path) -> None:
    path = tmp_path / "database.db"
    with closing(open_database(f"sqlite:///{path}")) as database:
        write_much(database)
        assert log_bytes(path) == 0


def test_a_log_that_is_read_meanwhile_gives_its_room_back_later(tmp_path: Path) -> None:
    path = tmp_path / "database.db"
    with (
        closing(open_database(f"sqlite:///{path}")) as database,
        closing(SqliteFile(path, "", Unavailable)) as file,
    ):
        write_much(database)
        with database.read() as reader:
            reader.execute(text("SELECT count(*) FROM notes"))
            write_much(database)
            assert log_bytes(path) > LOG_BYTES
        write(file, error=None)
        assert log_bytes(path) <= LOG_BYTES


def test_the_log_of_a_file_of_ours_is_bounded_too(file: SqliteFile, tmp_path: Path) -> None:
    write(file, "a" * 2 * LOG_BYTES)
    assert log_bytes(tmp_path / "notes.db") <= LOG_BYTES
