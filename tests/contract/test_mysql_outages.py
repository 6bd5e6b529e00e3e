"""A MySQL server that dies, hangs or throws a connection out is unavailable, until it is back."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from threading import Barrier

import pytest

from muster.database import Database, DatabaseUnavailable, open_database
from tests.contract.at_once import at_once
from tests.contract.mysql_server import note, noted, prepare
from tests.servers.cutting import AnswerCutter
from tests.servers.mariadb import MariaServer, run
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("mysql-node")


@pytest.fixture
def server(mysql_node: MariaServer) -> MariaServer:
    prepare(mysql_node)
    return mysql_node


@pytest.fixture
def database(server: MariaServer) -> Iterator[Database]:
    with closing(open_database(server.url("service", connect_seconds=60))) as database:
        yield database


@pytest.fixture
def impatient(server: MariaServer) -> Iterator[Database]:
    """The same database, connected, which takes a server that is only slow for one that hangs."""
    url = server.url("service", connect_seconds=1, answer_seconds=1, lock_seconds=1)
    with closing(open_database(url)) as database:
        eventually(lambda: answers(database))
        yield database


def answers(database: Database) -> bool:
    try:
        database.check()
    except DatabaseUnavailable:
        return False
    return True


def fill_pool(database: Database, connections: int) -> None:
    all_are_open = Barrier(connections)

    def hold_one() -> None:
        with database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
            all_are_open.wait()

    at_once([hold_one] * connections)


def test_a_pool_outlives_a_restart_of_its_server(server: MariaServer, database: Database) -> None:
    fill_pool(database, 4)
    server.kill()
    server.start()
    note(database, 1)
    fill_pool(database, 4)
    server.kill()
    with pytest.raises(DatabaseUnavailable):
        note(database, 2)
    server.start()
    note(database, 3)
    assert noted(database) == [1, 3]


def test_a_server_that_dies_within_a_transaction_keeps_nothing_of_it(
    server: MariaServer, database: Database
) -> None:
    def write_while_it_dies() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES (1, '')")
            server.kill()
            connection.exec_driver_sql("INSERT INTO notes VALUES (2, '')")

    with pytest.raises(DatabaseUnavailable):
        write_while_it_dies()
    server.start()
    assert noted(database) == []


def test_a_server_that_dies_before_the_commit_is_unavailable(
    server: MariaServer, database: Database
) -> None:
    def die_before_the_commit() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES (1, '')")
            server.kill()

    with pytest.raises(DatabaseUnavailable):
        die_before_the_commit()
    server.start()
    assert noted(database) == []


def test_a_commit_whose_answer_is_lost_is_unavailable_and_took_place(
    server: MariaServer, database: Database
) -> None:
    with AnswerCutter(server.port) as cutter:
        url = f"mysql://root@127.0.0.1:{cutter.port}/service?connect_seconds=60"
        with closing(open_database(url)) as far_database:
            note(far_database, 1)
            cutter.cut_answer_to(b"\x03commit")
            with pytest.raises(DatabaseUnavailable):
                note(far_database, 2)
            assert noted(far_database) == [1, 2]


def test_a_connection_that_is_killed_is_unavailable_and_replaced(database: Database) -> None:
    def write_while_it_is_killed() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES (1, '')")
            own = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
            run(database, f"KILL CONNECTION {own}")
            connection.exec_driver_sql("INSERT INTO notes VALUES (2, '')")

    with pytest.raises(DatabaseUnavailable):
        write_while_it_is_killed()
    note(database, 3)
    assert noted(database) == [3]


def test_a_server_that_hangs_is_not_waited_for_for_ever(
    server: MariaServer, database: Database, impatient: Database
) -> None:
    note(database, 1)
    server.pause()
    try:
        with pytest.raises(DatabaseUnavailable):
            note(impatient, 2)
        with pytest.raises(DatabaseUnavailable):
            impatient.check()
    finally:
        server.resume()
    eventually(lambda: answers(impatient))
    note(database, 3)
    assert noted(database)[-1] == 3


def test_the_loser_of_a_deadlock_may_try_again(database: Database) -> None:
    note(database, 1)
    note(database, 2)
    both_hold_one = Barrier(2)

    def write(first: int, second: int) -> bool:
        try:
            with database.write() as connection:
                change = f"UPDATE notes SET text = CONCAT(text, '-{first}') WHERE id = "
                connection.exec_driver_sql(f"{change}{first}")
                both_hold_one.wait()
                connection.exec_driver_sql(f"{change}{second}")
        except DatabaseUnavailable:
            return False
        return True

    ended = at_once([lambda: write(1, 2), lambda: write(2, 1)])
    assert sorted(ended) == [False, True]
    with database.read() as connection:
        texts = set(connection.exec_driver_sql("SELECT text FROM notes").scalars())
    assert texts == {"a note-1" if ended[0] else "a note-2"}


@pytest.fixture
def few_connections(server: MariaServer) -> Iterator[None]:
    with closing(open_database(server.url("mysql"))) as administrator:
        run(administrator, "SET GLOBAL max_connections = 10")
        yield
        run(administrator, "SET GLOBAL max_connections = 151")


@pytest.mark.usefixtures("few_connections")
def test_a_server_with_no_connection_left_is_unavailable(database: Database) -> None:
    def hold(connections: int) -> None:
        with ExitStack() as held:
            for _ in range(connections):
                held.enter_context(database.read())

    with pytest.raises(DatabaseUnavailable, match="1040"):
        hold(12)
    database.check()


@pytest.fixture
def read_only(server: MariaServer) -> Iterator[None]:
    with closing(open_database(server.url("mysql"))) as administrator:
        run(administrator, "CREATE OR REPLACE USER clerk@'%'")
        run(administrator, "GRANT ALL ON service.* TO clerk@'%'")
        run(administrator, "SET GLOBAL read_only = ON")
        yield
        run(administrator, "SET GLOBAL read_only = OFF")


@pytest.mark.usefixtures("read_only")
def test_a_server_that_takes_no_writes_is_unavailable(server: MariaServer) -> None:
    with closing(open_database(server.url("service", user="clerk"))) as database:
        with pytest.raises(DatabaseUnavailable, match=r"read.only"):
            note(database, 1)
        assert noted(database) == []


def test_a_table_that_is_full_is_unavailable_and_nothing_is_kept(database: Database) -> None:
    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("SET max_heap_table_size = 16384")
            connection.exec_driver_sql(
                "CREATE TEMPORARY TABLE small (text CHAR(255)) ENGINE = MEMORY"
            )
            connection.exec_driver_sql("INSERT INTO notes VALUES (1, '')")
            while True:
                connection.exec_driver_sql("INSERT INTO small VALUES ('')")

    with pytest.raises(DatabaseUnavailable, match="full"):
        fill()
    assert noted(database) == []
