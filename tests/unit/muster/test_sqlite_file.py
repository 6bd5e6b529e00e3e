"""The transactions on which the embedded broker and the embedded store are built."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from muster.backends.sqlite_file import LOG_BYTES, SqliteFile
from muster.database import Database, open_database
from tests.waiting import eventually

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


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is executed, of whichever connection."""
    heard: list[str] = []
    connect = sqlite3.connect

    def listened_to(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(heard.append)
        return connection

    monkeypatch.setattr("muster.backends.sqlite_file.sqlite3.connect", listened_to)
    return heard


def together(file: SqliteFile, *writes: Callable[[], None]) -> list[Future[None]]:
    """Let the writes take their turns at once: each has begun to wait before the first ends."""
    may_end = threading.Event()

    def first() -> None:
        with file.writing() as connection:
            begun.set()
            may_end.wait()
            connection.execute("INSERT INTO notes VALUES ('first')")

    with ThreadPoolExecutor(1 + len(writes)) as threads:
        begun = threading.Event()
        outcomes = [threads.submit(first)]
        begun.wait()
        for number, each in enumerate(writes, 1):
            outcomes.append(threads.submit(each))
            eventually(lambda number=number: file._waiting == number)  # type: ignore[misc]
        may_end.set()
    return outcomes


def test_those_that_wait_are_committed_at_once(file: SqliteFile, statements: list[str]) -> None:
    write(file)
    statements.clear()

    for each in together(file, *(partial(write, file, note) for note in "abc")):
        each.result()

    assert statements.count("COMMIT") == 1
    assert notes(file) == ["a", "b", "c", "first"]


def test_what_fails_among_them_fails_alone(file: SqliteFile) -> None:
    _, good, broken_off, refused, last = together(
        file,
        partial(write, file, "good"),
        partial(write, file, "never", error=Interrupted()),
        partial(write, file, "never", "first"),
        partial(write, file, "last"),
    )

    good.result()
    last.result()
    assert isinstance(broken_off.exception(), Interrupted)
    assert isinstance(refused.exception(), Unavailable)
    assert notes(file) == ["first", "good", "last"]


def test_none_is_answered_before_all_is_committed(file: SqliteFile) -> None:
    begun = threading.Event()

    def write_early() -> None:
        with file.writing() as connection:
            begun.set()
            eventually(lambda: file._waiting == 1)
            connection.execute("INSERT INTO notes VALUES ('early')")

    def look() -> None:
        with file.writing():
            # Longer than the other would need.
            assert not wait([outcome], 0.2).done
            assert notes(file) == []

    with ThreadPoolExecutor(2) as threads:
        outcome = threads.submit(write_early)
        begun.wait()
        threads.submit(look).result()
        outcome.result()
    assert notes(file) == ["early"]


def test_a_commit_that_is_refused_is_refused_to_each(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_transaction: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    write(file, "before")
    with monkeypatch.context() as patch:
        patch.setattr("muster.backends.sqlite_file._Transaction.commit", refuse)
        outcomes = together(file, partial(write, file, "a"), partial(write, file, "b"))
    assert [type(each.exception()) for each in outcomes] == [Unavailable] * 3

    write(file, "after")
    assert notes(file) == ["after", "before"]


def test_what_sqlite_rolls_back_as_a_whole_is_refused_to_each(file: SqliteFile) -> None:
    # As after some errors of a disk: https://sqlite.org/lang_transaction.html
    def roll_back() -> None:
        with file.writing() as connection:
            connection.execute("ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")

    write(file, "before")
    first, rolled_back, *others = together(
        file, roll_back, *(partial(write, file, n) for n in "ab")
    )
    assert isinstance(first.exception(), Unavailable)
    assert isinstance(rolled_back.exception(), Unavailable)
    # Who waits is let on in no order: what came after it had a transaction of its own.
    lasting = [note for note, each in zip("ab", others, strict=True) if not each.exception()]
    assert all(isinstance(each.exception(), Unavailable | None) for each in others)

    write(file, "after")
    assert notes(file) == sorted([*lasting, "after", "before"])


def test_what_must_last_is_not_committed_with_what_need_not(
    file: SqliteFile, statements: list[str]
) -> None:
    write(file)
    statements.clear()

    def write_for_now() -> None:
        with file.writing(durable=False):
            begun.set()
            eventually(lambda: file._waiting == 1)

    begun = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        for_now = threads.submit(write_for_now)
        begun.wait()
        threads.submit(write, file, "to last").result()
        for_now.result()

    ends = [each for each in statements if each == "COMMIT" or "synchronous" in each]
    assert ends == ["PRAGMA synchronous=NORMAL", "COMMIT", "PRAGMA synchronous=FULL", "COMMIT"]


def test_nobody_waits_for_one_that_never_took_its_turn(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.backends.sqlite_file._LONG_SECONDS", 0.01)
    # As of a thread that is interrupted while it waits.
    file._waiting = 1

    write(file, "committed")

    assert notes(file) == ["committed"]


def test_a_connection_held_as_the_file_is_closed_is_closed_when_given_back(
    file: SqliteFile,
) -> None:
    with file.connection() as held, file.writing() as writing:
        file.close()
        held.execute("SELECT 1")

    for connection in (held, writing):
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
