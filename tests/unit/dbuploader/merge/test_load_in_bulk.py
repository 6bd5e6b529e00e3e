"""Large loads, by whichever way the database takes them: the same rows, counts and rejects."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mysql.connector import errors
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from dbuploader.arrow import to_batch
from dbuploader.merge import load_data, sqlite_rows
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.load_data import RowPipe
from muster.contracts.rejects import Reject
from muster.contracts.tables import get_table
from muster.contracts.uploads import UNFINISHED, Options, RowCounts, State, Upload
from muster.database import Database, FilesRefused
from tests.servers.mariadb import new_database
from tests.unit.dbuploader.suite import Killed, Suite, killed

Line = Callable[[random.Random, int], str]
SEEDS = range(4)


def hire(chance: random.Random, key: int) -> str:
    name = chance.choice(["Ana", 'A "B" C', "\\N", "Zoë", "NULL", "back\\slash"])
    month, department = chance.randint(1, 12), chance.randint(1, 3)
    return f"{key},{name},2021-{month:02}-01T00:00:00.5Z,{department},{chance.randint(1, 3)}\n"


def write(chance: random.Random, keys: range, damaged: float) -> str:
    """Hires with some of `keys`, in any order, of which some are repeats or have mistakes."""
    lines = [hire(chance, key) for key in chance.sample(keys, len(keys) * 2 // 3)]
    lines += chance.sample(lines, len(lines) // 20)
    mistakes: list[Line] = [
        lambda _chance, key: f"{key},,2021-01-01T00:00:00Z,1,1\n",
        lambda _chance, key: f"{key},Odd,2021-01-01T00:00:00Z,77,1\n",
        lambda _chance, key: f"{key},Short\n",
        hire,
    ]
    bad = [
        chance.choice(mistakes)(chance, chance.choice(keys))
        for _ in range(int(len(lines) * damaged))
    ]
    lines += bad
    chance.shuffle(lines)
    return "".join(lines)


@pytest.fixture
def suites(tmp_path: Path, mysql_server_url: str) -> Iterator[list[Suite]]:
    """One on SQLite, one on MySQL by files, one on MySQL without."""
    with ExitStack() as stack:
        urls = [f"sqlite:///{tmp_path}/a.db"]
        urls += [stack.enter_context(new_database(mysql_server_url)) for _ in range(2)]
        suites = [
            stack.enter_context(closing(Suite(tmp_path / str(number), url, files=number < 2)))
            for number, url in enumerate(urls)
        ]
        for suite in suites:
            suite.seed()
        yield suites


def outcome(suite: Suite, upload: Upload) -> tuple[Any, ...]:
    rejects: list[Reject] = suite.rejects(upload.id) if upload.rows.rejected else []
    assert suite.summary() == suite.expected_summary()
    found = (suite.rows("hired_employees"), suite.summary(), rejects)
    return (upload.state, upload.rows, upload.causes, upload.error, *found)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_way_loads_the_same(
    suites: list[Suite], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(sqlite_rows, "_VALUES_AT_ONCE", chance.choice([50, 500]))
    monkeypatch.setattr(sqlite_rows, "_LEAST_ROWS", chance.choice([1, 10_000]))
    files: list[tuple[str, Options]] = [
        (write(chance, range(1, 600), 0.05), Options()),
        (write(chance, range(600, 900), 0), Options()),
        (write(chance, range(1, 1200), 0.1), Options()),
        (write(chance, range(500, 1500), 0.02), Options(mode="insert")),
        (write(chance, range(1, 2000), 0.01), Options(dry_run=True)),
        (write(chance, range(1, 2000), 0.01), Options(max_rejects=3)),
    ]
    files.append(files[2])
    for content, options in files:
        outcomes = [
            outcome(suite, suite.load("hired_employees", content, **vars(options)))
            for suite in suites
        ]
        assert outcomes[1] == outcomes[0]
        assert outcomes[2] == outcomes[0]


LARGE = "".join(f"{key},Job {key}\n" for key in range(10, 160_010))


@pytest.fixture
def mysql(tmp_path: Path, mysql_database_url: str) -> Iterator[Suite]:
    with closing(Suite(tmp_path, mysql_database_url)) as suite:
        yield suite


def test_a_kill_in_the_middle_of_the_rows_leaves_nothing(
    mysql: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = mysql.accept("jobs", LARGE)
    write, calls = RowPipe.write, []

    def die_at_the_second(pipe: RowPipe, text: bytes) -> None:
        calls.append(text)
        if len(calls) == 2:
            killed()
        write(pipe, text)

    with monkeypatch.context() as patch:
        patch.setattr(RowPipe, "write", die_at_the_second)
        with pytest.raises(Killed):
            mysql.processor().process_up_to(upload_id)
    assert mysql.rows("jobs") == []
    assert list(mysql.files.iterdir()) == []
    mysql.processor().process_up_to(upload_id)

    upload = mysql.store.get(upload_id)
    assert (upload.state, upload.rows) == (State.COMPLETED, RowCounts(160_000, inserted=160_000))


def test_a_statement_takes_so_many_rows_at_most(
    mysql: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_data, "_MOST_LINES", 50_000)
    load_file, counts = mysql.faulty_database.load_file, []

    def count(*args: Any, **options: Any) -> None:
        load_file(*args, **options)
        counts.append(args[-1]())

    mysql.faulty_database.load_file = count
    upload = mysql.load("jobs", LARGE)

    assert upload.rows == RowCounts(160_000, inserted=160_000)
    assert sum(counts) == 160_000
    assert len(counts) >= 2


def test_after_a_statement_without_an_answer_the_next_are_shorter(
    mysql: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_data, "_LEAST_LINES", 50_000)
    load_file, counts = mysql.faulty_database.load_file, []

    def lose_long_ones(connection: Connection, *args: Any, **options: Any) -> None:
        load_file(connection, *args, **options)
        counts.append(args[-1]())
        if counts[-1] > 140_000:
            connection.invalidate()
            lost = errors.OperationalError(errno=2013)
            raise OperationalError("LOAD DATA", None, lost, connection_invalidated=True)

    mysql.faulty_database.load_file = lose_long_ones
    upload = mysql.load("jobs", LARGE)

    assert upload.rows == RowCounts(160_000, inserted=160_000)
    assert counts[0] == 160_000 == sum(counts[1:])


@pytest.mark.parametrize(
    ("lines", "is_whole", "is_lost", "most"),
    [
        (800_000, True, True, 400_000),
        (800_000, True, False, 10_000_000),
        (800_000, False, True, 10_000_000),
        (20, True, True, 10_000_000),
    ],
)
def test_only_a_long_statement_that_was_sent_whole_makes_the_next_shorter(
    mysql: Suite, lines: int, *, is_whole: bool, is_lost: bool, most: int
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise OperationalError(
            "LOAD DATA", None, Exception("no answer"), connection_invalidated=is_lost
        )

    mysql.faulty_database.load_file = fail
    files = load_data.RowFiles(cast("Database", mysql.faulty_database))
    pipe = SimpleNamespace(path=Path(), lines=lines, is_whole=is_whole, leave=lambda: None)
    with mysql.database.read() as connection:
        writer = load_data.BulkWriter(connection, get_table("jobs"), files, BackgroundWorker())
        with pytest.raises(OperationalError):
            writer.load(cast("RowPipe", pipe), replace=False)

    assert files.most_lines == most


def load_after_an_error(connection: Connection, files: load_data.RowFiles) -> None:
    table = get_table("jobs")
    with BackgroundWorker() as thread:
        wait([thread.submit(lambda: 1 // 0)])
        writer = load_data.BulkWriter(connection, table, files, thread)
        writer.write(to_batch(table, [(1, "Cook")]), replace=False)


def test_a_load_that_ended_before_a_statement_leaves_no_pipe(mysql: Suite) -> None:
    files = load_data.RowFiles(mysql.database)
    with mysql.database.write() as connection, pytest.raises(ZeroDivisionError):
        load_after_an_error(connection, files)

    assert list(mysql.files.iterdir()) == []


def test_a_table_is_analyzed_after_many_changes_and_once_all_is_told(mysql: Suite) -> None:
    seen: list[tuple[str, bool]] = []
    processor = mysql.processor()

    def note(table: str) -> None:
        seen.append((table, large in mysql.announced()))

    mysql.faulty_database.analyze = note
    processor.process_up_to(mysql.accept("departments", "1,Legal\n"))
    assert seen == []
    large = mysql.accept("jobs", LARGE)
    processor.process_up_to(large)
    processor.process_up_to(mysql.accept("jobs", "1000000,Cook\n"))

    assert seen == [("jobs", True)]


def test_a_load_is_cancelled_in_the_middle(mysql: Suite) -> None:
    upload_id = mysql.accept("jobs", LARGE)
    load_file, calls = mysql.faulty_database.load_file, []

    def be_cancelled(*args: Any, **options: Any) -> None:
        calls.append(args)
        mysql.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)
        load_file(*args, **options)

    mysql.faulty_database.load_file = be_cancelled
    mysql.processor().process_up_to(upload_id)

    upload = mysql.store.get(upload_id)
    assert upload.state == State.CANCELLED
    assert upload.rows == RowCounts(upload.rows.read, unprocessed=upload.rows.read)
    assert mysql.rows("jobs") == []


def test_a_load_is_cancelled_while_the_server_heeds_nobody(mysql: Suite) -> None:
    upload_id = mysql.accept("jobs", LARGE)
    load_file, answers, ended = mysql.faulty_database.load_file, Event(), Event()

    def answer_late(*args: Any, **options: Any) -> None:
        load_file(*args, **options)
        mysql.store.update(upload_id, expect=UNFINISHED, cancel_requested=True)
        assert answers.wait(60)
        ended.set()

    mysql.faulty_database.load_file = answer_late
    mysql.processor().process_up_to(upload_id)

    assert not ended.is_set()
    assert mysql.store.get(upload_id).state == State.CANCELLED
    assert mysql.rows("jobs") == []
    answers.set()
    assert ended.wait(60)


def test_a_server_that_takes_no_files_is_asked_once(mysql: Suite) -> None:
    calls = []

    def refuse(*args: Any, **_options: Any) -> None:
        calls.append(args)
        raise FilesRefused("local_infile is off")

    mysql.faulty_database.load_file = refuse
    processor = mysql.processor()
    for content in ("1,Clerk\n2,Nurse\n", "2,Cook\n3,Editor\n"):
        processor.process_up_to(mysql.accept("jobs", content))

    assert len(calls) == 1
    assert mysql.rows("jobs") == [(1, "Clerk"), (2, "Cook"), (3, "Editor")]


def test_the_server_counts_the_rows_that_were_loaded(
    mysql: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.database.mysql._ANALYZE_SECONDS", 60)
    mysql.load("jobs", LARGE)

    with mysql.database.read() as connection:
        counted = connection.exec_driver_sql(
            "SELECT n_rows FROM mysql.innodb_table_stats"
            " WHERE database_name = DATABASE() AND table_name = 'jobs'"
        ).scalar_one()
    assert counted == pytest.approx(160_000, rel=0.2)


@pytest.mark.usefixtures("unhurried")
def test_parents_that_vanish_are_rejects(mysql: Suite) -> None:
    mysql.seed()
    upload_id = mysql.accept("hired_employees", "1,Ana,2021-01-01T00:00:00Z,1,2\n")

    def delete_the_parent(**changes: Any) -> None:
        if changes.get("state") == State.LOADING:
            with mysql.database.write() as connection:
                connection.exec_driver_sql("DELETE FROM departments WHERE id = 1")

    mysql.faulty_store.before["update"] = [delete_the_parent] * 2
    mysql.processor().process_up_to(upload_id)

    upload = mysql.store.get(upload_id)
    assert (upload.state, upload.rows) == (
        State.COMPLETED_WITH_REJECTS,
        RowCounts(read=1, rejected=1),
    )
