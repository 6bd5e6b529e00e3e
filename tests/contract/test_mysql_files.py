"""Rows that MySQL takes from a file: all of them as they are, or none."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from mysql.connector.errors import InterfaceError
from sqlalchemy import Connection

from muster.database import (
    ConstraintViolated,
    Database,
    DatabaseUnavailable,
    FilesRefused,
    RowsDamaged,
    StatementInterrupted,
    open_database,
)
from tests.servers.mariadb import MariaServer, administration, new_database, run
from tests.servers.mysqlwire import MysqlWire, Passage
from tests.waiting import DEADLINE_SECONDS, eventually

# MariaDB 10.11 takes latin1 where nothing is said, unlike what came after it.
PEOPLE = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL)"
    " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
PETS = (
    "CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL,"
    " FOREIGN KEY (owner) REFERENCES people (id))"
)


@pytest.fixture
def database(tmp_path: Path, mysql_database_url: str) -> Iterator[Database]:
    """A database with a table, which takes files from a directory."""
    files = tmp_path / "files"
    files.mkdir(mode=0o700)
    database = open_database(f"{mysql_database_url}?answer_seconds=600", files)
    run(database, PEOPLE)
    yield database
    database.close()


def load(
    database: Database, directory: Path | None, text: str, rows: int, *, replace: bool = False
) -> None:
    assert directory is not None
    path = directory / "it's rows.tsv"
    path.write_text(text, encoding="utf-8")
    with database.write() as connection:
        columns = ["id", "name"]
        database.load_file(connection, "people", columns, path, lambda: rows, replace=replace)


def people(database: Database) -> list[tuple[int, str]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql("SELECT id, name FROM people")]


def test_values_are_taken_as_they_stand(database: Database) -> None:
    names = ["\\N", "NULL", '"', '"a"', "\\", "\\t", "'", "𝄞é", "a,b", "%s"]
    rows = list(enumerate(names, start=1))

    load(database, database.files, "".join(f"{key}\t{name}\n" for key, name in rows), len(rows))

    assert people(database) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1\ttoo long\n", 1),
        ("1\n", 1),
        ("1\tAna\tmore\n", 1),
        ("one\tAna\n", 1),
        ("99999999999\tAna\n", 1),
        ("1\tAna\n", 2),
    ],
)
def test_what_the_server_would_bend_is_an_error(database: Database, text: str, rows: int) -> None:
    with pytest.raises(RowsDamaged):
        load(database, database.files, f"7\tBo\n{text}", rows + 1)
    assert people(database) == []


def test_a_key_that_is_taken_is_an_error(database: Database) -> None:
    load(database, database.files, "1\tAna\n", 1)

    with pytest.raises(ConstraintViolated):
        load(database, database.files, "1\tBo\n2\tCy\n", 2)
    assert people(database) == [(1, "Ana")]


def test_rows_take_the_places_of_others(database: Database) -> None:
    load(database, database.files, "1\tAna\n2\tBo\n3\tCy\n", 3)

    load(database, database.files, "1\tAnn\n3\tCyd\n", 2, replace=True)
    assert people(database) == [(1, "Ann"), (2, "Bo"), (3, "Cyd")]


def test_rows_that_others_refer_to_are_replaced(database: Database) -> None:
    load(database, database.files, "1\tAna\n", 1)
    run(database, PETS)
    run(database, "INSERT INTO pets VALUES (1, 1)")

    load(database, database.files, "1\tAnn\n", 1, replace=True)
    with database.read() as connection:
        pets = connection.exec_driver_sql("SELECT name FROM pets JOIN people ON owner = people.id")
        assert pets.scalars().all() == ["Ann"]


def test_a_row_that_takes_no_place_is_an_error(database: Database) -> None:
    load(database, database.files, "1\tAna\n", 1)

    with pytest.raises(RowsDamaged):
        load(database, database.files, "1\tAnn\n2\tBo\n", 2, replace=True)
    assert people(database) == [(1, "Ana")]


def test_a_file_of_another_directory_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(FilesRefused):
        load(database, tmp_path, "1\tAna\n", 1)


def test_foreign_keys_are_looked_at_again_afterwards(database: Database) -> None:
    run(database, PETS)
    load(database, database.files, "1\tAna\n", 1)

    with pytest.raises(ConstraintViolated):
        run(database, "INSERT INTO pets VALUES (1, 2)")


@pytest.fixture
def no_files(mysql_node: MariaServer) -> Iterator[str]:
    """The URL of a database whose server takes no files."""
    with (
        closing(administration(mysql_node.url())) as administrator,
        new_database(mysql_node.url()) as url,
    ):
        run(administrator, "SET GLOBAL local_infile = OFF")
        yield url
        run(administrator, "SET GLOBAL local_infile = ON")


@pytest.mark.xdist_group("mysql-node")
def test_a_server_that_takes_no_files_says_so(no_files: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with closing(open_database(no_files, tmp_path / "files")) as database:
        run(database, PEOPLE)
        with pytest.raises(FilesRefused):
            load(database, database.files, "1\tAna\n", 1)


def write_lines(pipe: Path, some_went: Event, stop: Event) -> None:
    with pipe.open("w", encoding="utf-8") as lines:
        for key in range(0, 10**8, 1000):
            lines.write("".join(f"{number}\tAna\n" for number in range(key, key + 1000)))
            if key == 200_000:
                some_went.set()
            if stop.is_set():
                return


def load_and_end(database: Database, pipe: Path, end: Callable[[Connection], None]) -> None:
    some_went, stop = Event(), Event()
    with ThreadPoolExecutor(2) as threads, database.write() as connection:
        columns = ["id", "name"]
        call = threads.submit(database.load_file, connection, "people", columns, pipe, lambda: 0)
        writing = threads.submit(write_lines, pipe, some_went, stop)
        assert some_went.wait(DEADLINE_SECONDS)
        end(connection)
        # What the server does not read would fill its and our buffers before.
        wait([call], 2)
        stop.set()
        # An answer may take 600.
        assert wait([call, writing], DEADLINE_SECONDS).not_done == set()
        call.result()


def test_who_sends_a_long_file_is_interrupted(database: Database) -> None:
    assert database.files is not None
    pipe = database.files / "rows.tsv"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(StatementInterrupted):
        load_and_end(database, pipe, database.interrupt)
    assert people(database) == []


def test_a_connection_that_is_lost_within_a_file_is_unavailable(
    database: Database, mysql_database_url: str
) -> None:
    """And no statement after it hides that, such as one that sets its session right again."""

    def reset_within_the_file(passage: Passage, to_server: bool) -> None:
        if to_server and passage.statement.startswith("LOAD DATA") and next(pieces) == 3:
            passage.reset()

    pieces = count()
    text = "".join(f"{number}\tAna\n" for number in range(100_000))
    with (
        MysqlWire(mysql_database_url) as wire,
        closing(open_database(wire.url, database.files)) as other,
    ):
        wire.strike = reset_within_the_file
        with pytest.raises(DatabaseUnavailable):
            load(other, other.files, text, 100_000)
    assert next(pieces) > 3
    assert people(database) == []


@pytest.fixture
def impatient(database: Database, mysql_database_url: str) -> Iterator[Database]:
    """The same database, whose server has to answer soon."""
    url = f"{mysql_database_url}?answer_seconds={DEADLINE_SECONDS:.0f}"
    with closing(open_database(url, database.files)) as impatient:
        yield impatient


def test_an_empty_table_is_read_while_it_is_filled(impatient: Database) -> None:
    """All of MariaDB 10.11 hangs when that is done without its unique checks."""
    stop = Event()

    def read() -> int:
        rows = 0
        while not stop.is_set():
            rows = len(people(impatient))
        return rows

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        try:
            for _ in range(20):
                run(impatient, "TRUNCATE people")
                load(impatient, impatient.files, "1\tAna\n2\tBo\n", 2)
        finally:
            stop.set()
        assert {each.result() for each in readers} <= {0, 2}


def test_a_connection_is_closed_once_its_statement_is_over(database: Database) -> None:
    with ThreadPoolExecutor(1) as thread, database.engine.connect() as connection:
        its_id = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
        statement = thread.submit(connection.exec_driver_sql, "DO SLEEP(600)")
        eventually(lambda: its_id in asleep(database))
        connection.invalidate()
        assert its_id in asleep(database)
        run(database, f"KILL QUERY {its_id}")
        wait([statement])
    eventually(lambda: its_id not in connected(database))


def test_who_waits_for_an_answer_is_not_rolled_back(database: Database) -> None:
    """The driver would crash, as two threads would read from one socket."""
    with ThreadPoolExecutor(1) as thread, database.engine.connect() as connection:
        statement = thread.submit(connection.exec_driver_sql, "DO SLEEP(600)")
        eventually(lambda: asleep(database))
        driver: Any = connection.connection.driver_connection
        for end in (driver.commit, driver.rollback):
            with pytest.raises(InterfaceError, match="waits for an answer"):
                end()
        database.interrupt(connection)
        wait([statement])


def asleep(database: Database) -> list[int]:
    return connected(database, "info = 'DO SLEEP(600)'")


def connected(database: Database, which: str = "1 = 1") -> list[int]:
    with database.read() as connection:
        query = f"SELECT id FROM information_schema.processlist WHERE {which}"
        return list(connection.exec_driver_sql(query).scalars())
