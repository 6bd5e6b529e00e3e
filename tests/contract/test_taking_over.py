"""A database that one process uses at a time: the next ends what the one before left open."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Event

import pytest
from sqlalchemy import Connection

from muster.database import Database, DatabaseUnavailable, open_database
from tests.servers.mariadb import new_database
from tests.servers.mysqlwire import MysqlWire, Passage
from tests.waiting import DEADLINE_SECONDS, eventually

Open = Callable[[], Database]


@pytest.fixture
def url(mysql_database_url: str) -> str:
    """A database with a table of notes, that waits for locks only briefly."""
    with closing(open_database(mysql_database_url)) as database, database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (id INTEGER PRIMARY KEY) ENGINE = InnoDB")
    return f"{mysql_database_url}?lock_seconds=1"


@pytest.fixture
def exclusive(url: str) -> Iterator[Open]:
    """Opens it as another process would."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(open_database(url, exclusive=True)))


def insert(connection: Connection, number: int = 1) -> None:
    connection.exec_driver_sql(f"INSERT INTO notes VALUES ({number})")


def is_inserted(database: Database, number: int = 1) -> bool:
    try:
        with database.write() as connection:
            insert(connection, number)
    except DatabaseUnavailable:
        return False
    return True


def test_what_the_one_before_has_locked_is_free_and_it_commits_nothing(exclusive: Open) -> None:
    former, latter = exclusive(), exclusive()

    def be_taken_over() -> None:
        with former.write() as connection:
            insert(connection)
            assert not is_inserted(latter)
            assert latter.take_over() == 1
            eventually(lambda: is_inserted(latter))
            insert(connection, 2)

    with pytest.raises(DatabaseUnavailable):
        be_taken_over()
    assert is_inserted(former, 3)
    with latter.read() as connection:
        assert connection.exec_driver_sql("SELECT id FROM notes").scalars().all() == [1, 3]


def test_only_connections_of_others_that_work_alone_are_ended(exclusive: Open, url: str) -> None:
    own = exclusive()
    with (
        closing(open_database(url)) as guest,
        guest.read() as one,
        own.read() as another,
    ):
        assert own.take_over() == 0
        for connection in (one, another):
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_connections_to_another_database_are_none_of_its(
    exclusive: Open, mysql_server_url: str
) -> None:
    own = exclusive()
    with (
        new_database(mysql_server_url) as url,
        closing(open_database(url, exclusive=True)) as other,
        other.read() as connection,
    ):
        assert own.take_over() == 0
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_connection_whose_answers_stay_away_is_ended_by_the_next(url: str) -> None:
    """As where a network swallows what is sent: the server knows nothing of the end."""
    done = Event()

    def swallow(passage: Passage, to_server: bool) -> None:
        if not to_server and passage.statement.startswith("INSERT"):
            assert done.wait(DEADLINE_SECONDS)

    with MysqlWire(url) as wire:
        impatient = f"{wire.url}&answer_seconds=2"
        with closing(open_database(impatient, exclusive=True)) as database:
            database.check()
            wire.strike = swallow
            assert not is_inserted(database)
            wire.strike = lambda _passage, _to_server: None
            eventually(lambda: is_inserted(database))
        done.set()


def test_a_file_is_left_to_its_process(sqlite_database_url: str) -> None:
    with closing(open_database(sqlite_database_url, exclusive=True)) as database:
        assert database.take_over() == 0
