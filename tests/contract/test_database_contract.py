"""What every database promises: transactions, and errors that say whether a retry can help."""

import random
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from muster.database import ConstraintViolated, Database, DatabaseUnavailable
from tests.contract.at_once import at_once
from tests.contract.children import Child
from tests.waiting import DEADLINE_SECONDS

metadata = MetaData()
accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("money", Integer, nullable=False),
    Column("parent", Integer, ForeignKey("accounts.id")),
)


class BlockBroke(Exception):
    pass


@pytest.fixture
def database(database: Database) -> Database:
    """With accounts 1 and 2 of 100 each."""
    with database.write() as connection:
        metadata.create_all(connection)
    with database.write() as connection:
        connection.execute(accounts.insert(), [{"id": 1, "money": 100}, {"id": 2, "money": 100}])
    return database


def money(connection: Connection, account: int = 1) -> int:
    found = select(accounts.c.money).where(accounts.c.id == account)
    return int(connection.execute(found).scalar_one())


def add(connection: Connection, amount: int, account: int = 1) -> None:
    connection.execute(
        update(accounts).where(accounts.c.id == account).values(money=accounts.c.money + amount)
    )


def test_a_transaction_that_ends_well_is_committed(database: Database) -> None:
    with database.write() as connection:
        add(connection, 5)
    with database.read() as connection:
        assert money(connection) == 105


def break_after_adding(database: Database) -> None:
    with database.write() as connection:
        add(connection, 5)
        raise BlockBroke


def test_a_transaction_whose_block_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(BlockBroke):
        break_after_adding(database)
    with database.read() as connection:
        assert money(connection) == 100


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"id": 1, "money": 1}, id="a key twice"),
        pytest.param({"id": 3, "money": None}, id="a missing value"),
        pytest.param({"id": 3, "money": 1, "parent": 9}, id="a missing parent"),
    ],
)
def test_a_broken_constraint_is_told_after_the_rollback(
    database: Database, row: dict[str, int | None]
) -> None:
    def add_and_insert() -> None:
        with database.write() as connection:
            add(connection, 5)
            connection.execute(accounts.insert(), row)

    with pytest.raises(ConstraintViolated):
        add_and_insert()
    with database.read() as connection:
        assert money(connection) == 100


def test_writers_of_a_row_take_turns(database: Database) -> None:
    def add_ten_times() -> list[int]:
        seen = []
        for _ in range(10):
            with database.write() as connection:
                add(connection, 1)
                seen.append(money(connection))
        return seen

    seen = [value for values in at_once([add_ten_times] * 4) for value in values]
    assert sorted(seen) == [*range(101, 141)]


def test_a_reader_has_one_view_while_others_write(database: Database) -> None:
    with database.read() as reader:
        assert money(reader) == 100
        with database.write() as writer:
            add(writer, 5)
        assert money(reader) == 100
    with database.read() as reader:
        assert money(reader) == 105


def test_a_reader_sees_nothing_of_a_transaction_in_progress(database: Database) -> None:
    with database.write() as writer:
        add(writer, 5)
        with database.read() as reader:
            assert money(reader) == 100


def test_a_row_locked_for_too_long_is_unavailable_and_free_afterwards(
    database: Database, impatient_database: Database
) -> None:
    def add_one() -> None:
        with impatient_database.write() as connection:
            add(connection, 1)

    with database.write() as holder:
        add(holder, 5)
        with pytest.raises(DatabaseUnavailable):
            add_one()
    add_one()
    with database.read() as connection:
        assert money(connection) == 106


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_process_leaves_whole_transactions(
    database: Database, database_url: str, seed: int
) -> None:
    with Child("transfer", database_url) as killed:
        transfers = len(killed.lines(random.Random(seed).randrange(1, 40)))
        transfers += len(killed.kill())
    with database.read() as connection:
        one, two = money(connection, 1), money(connection, 2)
    assert one + two == 200
    assert two - 100 in {transfers, transfers + 1}


def test_migrations_take_turns(database: Database) -> None:
    steps: list[str] = []

    def migrate() -> None:
        with database.migrating() as connection:
            steps.append("begun")
            connection.exec_driver_sql("CREATE TABLE migrated (id INTEGER)")
            connection.exec_driver_sql("DROP TABLE migrated")
            steps.append("ended")

    at_once([migrate] * 3)
    assert steps == ["begun", "ended"] * 3


def test_a_database_that_answers_passes_its_check(database: Database) -> None:
    database.check()


def test_a_database_that_does_not_answer_is_unavailable(unreachable_database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        unreachable_database.check()


COUNTING = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
# A SLEEP that is all of a query ends without an error in MySQL, one in a condition with one.
SLEEPING = "SELECT * FROM accounts WHERE SLEEP(600)"
LONG = {"sqlite": text(COUNTING), "mysql": text(SLEEPING)}


def be_interrupted(database: Database) -> None:
    with ThreadPoolExecutor(1) as thread, database.write() as connection:
        add(connection, 5)
        working = thread.submit(connection.execute, LONG[connection.dialect.name])
        # It may have not begun yet.
        while not wait([working], 0.05).done:
            database.interrupt(connection)
        working.result()


def test_what_another_thread_does_is_interrupted_and_the_transaction_lost(
    database: Database,
) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)):
        be_interrupted(database)
    with database.read() as connection:
        assert money(connection) == 100


def interrupt_what_is_gone(database: Database) -> None:
    with database.write() as connection:
        connection.invalidate()
        database.interrupt(connection)
        raise BlockBroke


def test_an_interruption_of_what_is_gone_does_nothing(database: Database) -> None:
    with pytest.raises(BlockBroke):
        interrupt_what_is_gone(database)


def test_a_table_that_is_busy_or_gone_is_not_analyzed(database: Database) -> None:
    with ThreadPoolExecutor(1) as thread, database.write() as connection:
        add(connection, 5)
        if connection.dialect.name == "mysql":
            connection.exec_driver_sql("LOCK TABLES accounts WRITE")
        thread.submit(database.analyze, "accounts").result(DEADLINE_SECONDS)
    database.analyze("nowhere")


def test_what_a_table_takes_is_told_or_that_of_the_whole_file(database: Database) -> None:
    sizes = database.sizes()
    apart = database.engine.dialect.name == "mysql"
    assert {*sizes} == ({"accounts"} if apart else {""})
    assert all(size >= 4096 and size % 1024 == 0 for size in sizes.values())
