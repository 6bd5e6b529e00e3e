"""Databases that are copied as they all were at one moment."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from embedded import snapshots


def write(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=0)) as connection, connection:
        connection.execute("INSERT INTO marks VALUES ('late')")


def marks_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [mark for (mark,) in connection.execute("SELECT mark FROM marks")]


def test_nothing_is_in_a_later_database_that_the_first_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = [tmp_path / "records.db", tmp_path / "employment.db"]
    for path in databases:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE marks (mark TEXT)")
    touch = snapshots._touch

    def touch_and_write(connection: sqlite3.Connection) -> None:
        touch(connection)
        if connection.in_transaction:
            with suppress(sqlite3.OperationalError):
                for path in databases:
                    write(path)

    monkeypatch.setattr(snapshots, "_touch", touch_and_write)
    with snapshots.snapshots(databases) as taken:
        # From here on nobody waits.
        write(databases[0])
        taken.copy(lambda path: path.with_suffix(".copy"), lambda *_: None)
    assert [marks_in(path.with_suffix(".copy")) for path in databases] == [[], []]
    assert marks_in(databases[0]) == ["late"]
