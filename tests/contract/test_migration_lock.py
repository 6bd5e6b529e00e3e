"""The row that keeps a second migration out of a cluster, on a server by itself."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import text

from muster.database import Database, DatabaseUnavailable, open_database
from muster.database.mysql.migration_lock import LockRow
from tests.contract.at_once import at_once
from tests.contract.children import Child
from tests.waiting import DEADLINE_SECONDS, eventually

BRIEF = 2.0


@pytest.fixture
def database(mysql_database_url: str) -> Iterator[Database]:
    with closing(open_database(mysql_database_url)) as database:
        yield database


@pytest.fixture
def new_lock(mysql_database_url: str) -> Iterator[Callable[..., LockRow]]:
    """Makes the lock of one migration, with connections of its own."""
    with ExitStack() as stack:

        def lock(lease_seconds: float = DEADLINE_SECONDS) -> LockRow:
            own = stack.enter_context(closing(open_database(mysql_database_url)))
            return LockRow(own, lease_seconds)

        yield lock


def rows(database: Database) -> Sequence[object]:
    with database.read() as connection:
        return connection.execute(text("SELECT owner, expires_at FROM migration_lock")).all()


def test_migrations_on_two_members_take_turns(
    database: Database, new_lock: Callable[..., LockRow]
) -> None:
    steps: list[str] = []

    def migrate() -> None:
        with new_lock().held(database.engine, DEADLINE_SECONDS):
            steps.append("begun")
            with database.write() as connection:
                connection.exec_driver_sql("CREATE TABLE migrated (id INTEGER)")
                connection.exec_driver_sql("DROP TABLE migrated")
            steps.append("ended")

    at_once([migrate] * 4)
    assert steps == ["begun", "ended"] * 4
    assert rows(database) == []


def test_a_holder_that_renews_it_outlives_its_lease(
    database: Database, new_lock: Callable[..., LockRow]
) -> None:
    with new_lock(BRIEF).held(database.engine, 0):
        started = time.monotonic()
        with (
            pytest.raises(DatabaseUnavailable, match="another migration of the database does not"),
            new_lock(BRIEF).held(database.engine, 3 * BRIEF),
        ):
            pytest.fail("it was held")
        assert time.monotonic() - started > 3 * BRIEF
        run_something(database)


def run_something(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("SELECT 1")


def test_who_waits_no_longer_than_a_lease_takes_over_from_the_dead_all_the_same(
    database: Database, mysql_database_url: str, new_lock: Callable[..., LockRow]
) -> None:
    with Child("migrate", mysql_database_url, str(BRIEF)) as dying:
        dying.lines(1)
        dying.kill()
    (left,) = rows(database)
    started = time.monotonic()
    with new_lock(BRIEF).held(database.engine, 0):
        assert time.monotonic() - started > BRIEF
        assert rows(database) != [left]
    assert rows(database) == []


def test_a_failed_migration_gives_it_up(
    database: Database, new_lock: Callable[..., LockRow]
) -> None:
    with pytest.raises(ZeroDivisionError), new_lock().held(database.engine, 0):
        raise ZeroDivisionError
    with new_lock().held(database.engine, 0):
        assert len(rows(database)) == 1


def test_who_lost_it_runs_no_further_statement(
    database: Database, new_lock: Callable[..., LockRow]
) -> None:
    with new_lock(BRIEF).held(database.engine, 0):
        with database.write() as connection:
            connection.execute(text("UPDATE migration_lock SET owner = 'another'"))

        def is_stopped() -> bool:
            try:
                run_something(database)
            except DatabaseUnavailable:
                return True
            return False

        eventually(is_stopped)
        with pytest.raises(DatabaseUnavailable, match="another migration has taken over"):
            run_something(database)


def test_a_statement_that_takes_longer_than_the_lease_keeps_it(
    database: Database, new_lock: Callable[..., LockRow]
) -> None:
    def migrate_slowly() -> None:
        with new_lock(BRIEF).held(database.engine, 0), database.write() as connection:
            held.set()
            connection.exec_driver_sql(f"DO SLEEP({3 * BRIEF})")
            connection.exec_driver_sql("SELECT 1")
            ended_at.append(time.monotonic())

    held, ended_at = threading.Event(), list[float]()
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(migrate_slowly)
        assert held.wait(DEADLINE_SECONDS)
        with new_lock(BRIEF).held(database.engine, DEADLINE_SECONDS):
            taken_at = time.monotonic()
        slow.result(DEADLINE_SECONDS)
    assert ended_at[0] < taken_at
