"""Large loads into SQLite: many rows in one statement, and a table's indexes after its rows."""

import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Connection

from dbuploader.arrow import to_batch
from dbuploader.db.rows import write_rows
from dbuploader.merge import sqlite_rows
from dbuploader.merge.sqlite_rows import SqliteWriter
from muster.contracts.tables import get_table
from muster.contracts.uploads import UNFINISHED, RowCounts, State
from tests.unit.dbuploader.suite import Killed, Suite, killed

HIRES = get_table("hired_employees")
MANY = 12_000
LARGE = "".join(f"{key},Ana,2021-01-01T00:00:00Z,{key % 3 + 1},1\n" for key in range(1, MANY + 1))

WITHOUT_END = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Suite]:
    with closing(_suite(tmp_path)) as suite:
        suite.seed()
        yield suite


def _suite(home: Path) -> Suite:
    return Suite(home, f"sqlite:///{home}/a.db")


def indexes(connection: Connection) -> dict[str, tuple[str, int]]:
    """By name, what makes each index of the hires, and its page: another once it is made again."""
    found = connection.exec_driver_sql(
        "SELECT name, sql, rootpage FROM sqlite_master WHERE tbl_name = 'hired_employees'"
        " AND type = 'index'"
    )
    return {name: (statement, page) for name, statement, page in found}


def is_sound(connection: Connection) -> bool:
    """Whether each row is in each index, among other things."""
    found = connection.exec_driver_sql("PRAGMA integrity_check").all()
    missing = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return found == [("ok",)] and not missing


def some_hires(chance: random.Random, keys: range) -> pa.RecordBatch:
    return to_batch(
        HIRES,
        [
            (
                key,
                chance.choice(["Ana", "Zoë", "O'Hara", "?", "(?, ?)", ""]),
                f"2021-{chance.randint(1, 12):02}-01 00:00:00.000000",
                chance.randint(1, 3),
                chance.randint(1, 3),
            )
            for key in keys
        ],
    )


@pytest.mark.parametrize("seed", range(6))
def test_many_rows_in_a_statement_are_written_as_each_by_its_own(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(sqlite_rows, "_VALUES_AT_ONCE", chance.choice([1, 5, 35, 1000]))
    monkeypatch.setattr(sqlite_rows, "_LEAST_ROWS", chance.choice([1, 100_000]))
    there = some_hires(chance, range(1, 1 + chance.choice([0, 10, 500])))
    new = [some_hires(chance, range(1000 * n, 1000 * n + chance.randint(1, 400))) for n in (1, 2)]
    changed = some_hires(chance, range(1000, 1000 + len(new[0]) // 2))

    def write(suite: Suite, writer: Callable[[Connection], Any]) -> tuple[Any, ...]:
        suite.seed()
        with suite.database.write() as connection:
            write_rows(connection, "hired_employees", there)
        with suite.database.write() as connection:
            before = {name: statement for name, (statement, _) in indexes(connection).items()}
            writes, finish = writer(connection)
            writes(new[0], replace=False)
            writes(changed, replace=True)
            writes(new[1], replace=False)
            finish()
        with suite.database.read() as connection:
            assert is_sound(connection)
            after = {name: statement for name, (statement, _) in indexes(connection).items()}
            assert after == before != {}
        return suite.rows("hired_employees"), after

    def many(connection: Connection) -> Any:
        writer = SqliteWriter(connection, HIRES)
        return writer.write, writer.finish

    def plain(connection: Connection) -> Any:
        def write(rows: pa.RecordBatch, *, replace: bool) -> None:
            write_rows(connection, "hired_employees", rows, replace=replace)

        return write, lambda: None

    found = []
    for name, writer in (("many", many), ("plain", plain)):
        with closing(_suite(tmp_path / name)) as suite:
            found.append(write(suite, writer))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("there", "rows", "again"),
    [
        pytest.param(0, 20_000, True, id="into an empty table"),
        pytest.param(20_000, 20_000, True, id="into a table with as many"),
        pytest.param(20_001, 20_000, False, id="into a table with more"),
        pytest.param(0, 9_999, False, id="few"),
    ],
)
def test_the_indexes_of_a_table_with_fewer_rows_are_made_again(
    sqlite: Suite, there: int, rows: int, *, again: bool
) -> None:
    with sqlite.database.write() as connection:
        write_rows(connection, "hired_employees", some_hires(random.Random(1), range(1, 1 + there)))
    with sqlite.database.write() as connection:
        before = indexes(connection)
        writer = SqliteWriter(connection, HIRES)
        writer.write(some_hires(random.Random(2), range(50_000, 50_000 + rows)), replace=False)
        assert len(indexes(connection)) == (0 if again else 2)
        writer.finish()
        after = indexes(connection)
        assert [statement for statement, _ in after.values()] == [
            statement for statement, _ in before.values()
        ]
    with sqlite.database.read() as connection:
        assert is_sound(connection)


def test_who_reads_meanwhile_sees_all_or_nothing_and_finds_it_by_the_index(
    sqlite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_a_job = "SELECT COUNT(*) FROM hired_employees WHERE job_id = 1"
    finish, seen = SqliteWriter.finish, []
    # As another process has it: with statements that were prepared before, for the tables of then.
    connect = partial(sqlite3.connect, sqlite.home / "a.db", check_same_thread=False)
    with closing(connect()) as other, sqlite.database.read() as early:

        def count() -> int:
            return int(other.execute(of_a_job).fetchone()[0])

        def count_before_and_after(writer: SqliteWriter) -> None:
            seen.append(count())
            finish(writer)
            seen.append(count())

        monkeypatch.setattr(SqliteWriter, "finish", count_before_and_after)
        assert (early.exec_driver_sql(of_a_job).scalar_one(), count()) == (0, 0)
        upload = sqlite.load("hired_employees", LARGE)
        assert upload.rows == RowCounts(MANY, inserted=MANY)
        assert seen == [0, 0]
        assert early.exec_driver_sql(of_a_job).scalar_one() == 0
        assert count() == MANY
        assert "ix_hired_employees_job_id" in str(
            [*other.execute(f"EXPLAIN QUERY PLAN {of_a_job}")]
        )


def test_a_load_that_ends_while_the_indexes_are_away_leaves_all_as_it_was(
    sqlite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite.database.read() as connection:
        before = indexes(connection)
    upload_id = sqlite.accept("hired_employees", LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteWriter, "finish", lambda _writer: killed())
        with pytest.raises(Killed):
            sqlite.processor().process_up_to(upload_id)
    with sqlite.database.read() as connection:
        assert indexes(connection) == before
        assert is_sound(connection)
    assert sqlite.rows("hired_employees") == []

    sqlite.processor().process_up_to(upload_id)
    assert sqlite.store.get(upload_id).rows == RowCounts(MANY, inserted=MANY)


def test_a_cancellation_ends_the_making_of_the_indexes(
    sqlite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = sqlite.accept("hired_employees", LARGE)
    ended = []

    def take_for_ever(writer: SqliteWriter) -> None:
        sqlite.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)
        try:
            writer._connection.exec_driver_sql(f"{WITHOUT_END} SELECT SUM(x) FROM n")
        except Exception as error:
            ended.append(error)
            raise

    monkeypatch.setattr(SqliteWriter, "finish", take_for_ever)
    sqlite.processor().process_up_to(upload_id)

    assert sqlite.store.get(upload_id).state is State.CANCELLED
    assert sqlite.rows("hired_employees") == []
    with sqlite.database.read() as connection:
        assert len(indexes(connection)) == 2
    assert "interrupted" in str(ended)


def _load_and_die(home: str, upload_id: str, statements: int) -> None:
    """Load the upload, and be killed before that statement of the rows."""
    run, left = Connection.exec_driver_sql, [statements]

    def count(connection: Connection, statement: str, *args: Any, **options: Any) -> Any:
        if "hired_employees" in statement:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        return run(connection, statement, *args, **options)

    Connection.exec_driver_sql = count  # type: ignore[method-assign,assignment]
    with closing(_suite(Path(home))) as suite:
        suite.processor().process_up_to(upload_id)


@pytest.mark.parametrize("statements", [2, 9, 15, 16, 1000])
def test_a_kill_at_any_statement_leaves_all_or_nothing(
    tmp_path: Path, sqlite: Suite, statements: int
) -> None:
    upload_id = sqlite.accept("hired_employees", LARGE)
    process = get_context("forkserver").Process(
        target=_load_and_die, args=(str(tmp_path), upload_id, statements)
    )
    process.start()
    process.join()
    assert process.exitcode == (0 if statements == 1000 else -signal.SIGKILL)
    process.close()
    rows = MANY if statements == 1000 else 0
    with sqlite.database.read() as connection:
        assert len(indexes(connection)) == 2
        assert is_sound(connection)
        found = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM hired_employees INDEXED BY "
            "ix_hired_employees_job_id WHERE job_id = 1"
        ).scalar_one()
    assert found == rows

    sqlite.processor().process_up_to(upload_id)
    assert sqlite.store.get(upload_id).rows == RowCounts(MANY, inserted=MANY)
