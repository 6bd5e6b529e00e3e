"""Rows that MySQL takes from a file: all of them as they are, or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.database import (
    ConstraintViolated,
    Database,
    FilesRefused,
    RowsDamaged,
    open_database,
)
from tests.servers.mariadb import MariaServer, new_database, require_mariadb, run


@pytest.fixture
def database(tmp_path: Path, mysql_database_url: str) -> Iterator[Database]:
    """A database with a table, which takes files from a directory."""
    files = tmp_path / "files"
    files.mkdir(mode=0o700)
    database = open_database(mysql_database_url, files)
    run(database, "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL)")
    yield database
    database.close()


def load(database: Database, directory: Path | None, text: str, rows: int) -> None:
    assert directory is not None
    path = directory / "it's rows.tsv"
    path.write_text(text, encoding="utf-8")
    with database.write() as connection:
        database.load_file(connection, "people", ["id", "name"], path, rows)


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


def test_a_file_of_another_directory_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(FilesRefused):
        load(database, tmp_path, "1\tAna\n", 1)


def test_foreign_keys_are_looked_at_again_afterwards(database: Database) -> None:
    run(
        database,
        "CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL,"
        " FOREIGN KEY (owner) REFERENCES people (id))",
    )
    load(database, database.files, "1\tAna\n", 1)

    with pytest.raises(ConstraintViolated):
        run(database, "INSERT INTO pets VALUES (1, 2)")


def test_a_server_that_takes_no_files_says_so(tmp_path: Path) -> None:
    require_mariadb()
    (tmp_path / "files").mkdir()
    with (
        MariaServer(tmp_path / "mariadb", "--local-infile=OFF") as server,
        new_database(server.url()) as url,
    ):
        database = open_database(url, tmp_path / "files")
        run(database, "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL)")
        with pytest.raises(FilesRefused):
            load(database, database.files, "1\tAna\n", 1)
        database.close()
