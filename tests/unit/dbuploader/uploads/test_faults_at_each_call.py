"""A fault at each call that a load makes of its ports, one after the other."""

import sqlite3
from contextlib import suppress
from typing import Any, cast

import pytest
from mysql.connector import errors as mysql_errors
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from dbuploader.db.schema import load_attempts
from dbuploader.uploads.outcome import NotFinished
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from muster.broker import Broker, BrokerUnavailable
from muster.contracts.uploads import RowCounts, State
from muster.database import DatabaseUnavailable, StatementInterrupted
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.faults.plan import MakeError, Plan
from tests.faults.ports import met_broker, met_database, met_files, met_uploads
from tests.faults.table import WEATHER_TABLE
from tests.unit.dbuploader.suite import MarkingProcessor, Suite

# `make chaos` tries all of them.
_SAMPLED = 5
COUNTS = RowCounts(read=4, inserted=2, unchanged=1, rejected=1)


def weather_on(suite: Suite, error: BaseException | None = None) -> MakeError:
    """What the ports raise; a statement raises `error`, or that its connection is lost."""
    dialect = suite.database.engine.dialect.name
    in_statement = error or driver_error(dialect, *LOST[dialect])

    def make(call: str) -> BaseException:
        match call.split("."):
            case ["files" | "uploads", _]:
                return StoreUnavailable("gone")
            case ["broker", _]:
                return BrokerUnavailable("gone")
            case ["database", "statement"]:
                return in_statement
        return DatabaseUnavailable("gone")

    return make


LOST = {"sqlite": (sqlite3.SQLITE_IOERR, ""), "mysql": (2013, "")}


def driver_error(dialect: str, number: int, message: str = "so it was planned") -> DBAPIError:
    """What SQLAlchemy makes of a driver's error of that number."""
    if dialect == "mysql":
        return DBAPIError("", {}, mysql_errors.OperationalError(msg=message, errno=number))
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = number
    return DBAPIError("", {}, error)


class Mistake(Exception):
    """A mistake in the loader. Before it has an upload in hand, it ends the process."""


def mistake(_call: str) -> BaseException:
    return Mistake("so it was planned")


class Loads:
    """One upload after the other of a file like the last, each over ports with faults."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.faults = Plan()
        self._database = met_database(suite.database, self.faults.meet)
        self._next_key = 100

    def processor(self) -> UploadProcessor:
        meet, stores = self.faults.meet, self.suite.stores
        return MarkingProcessor(
            Stores(met_files(stores.files, meet), met_uploads(stores.uploads, meet)),
            met_broker(cast(Broker, self.suite.broker), meet),
            self._database,
            self.suite.stop,
            Watchdog(300),
            self.suite.limits,
            self.suite.scratch,
            self.suite.signer,
        )

    def accept(self) -> str:
        """A file with two new rows, one that is there, and a bad one."""
        key = self._next_key
        self._next_key += 2
        return self.suite.accept("jobs", f"{key},Baker\n{key + 1},Cook\n1,Clerk\nx,Odd\n")

    def load(self, number: int, error: MakeError) -> str:
        """Load the next file, with `error` at the call `number`; finished at the second message."""
        upload_id = self.accept()
        self.faults.arm(number, error)
        with suppress(NotFinished, Mistake):
            self.processor().process_up_to(upload_id)
        self.faults.clear()
        self.processor().process_up_to(upload_id)
        return upload_id

    def statements(self) -> list[int]:
        """The numbers of the calls that are statements."""
        return [i for i, call in enumerate(self.calls()) if call == "database.statement"]

    def tell(self, number: int, call: str, upload_id: str) -> tuple[Any, ...]:
        """What became of an upload, for a failure's message."""
        upload = self.suite.store.get(upload_id)
        return number, call, upload.state, upload.rows, upload.error, self.attempts(upload_id)

    def calls(self) -> list[str]:
        """What a load without faults calls, by name."""
        self.faults.clear()
        self.processor().process_up_to(self.accept())
        calls = list(self.faults.calls)
        self.faults.clear()
        return calls

    def attempts(self, upload_id: str) -> int:
        mine = load_attempts.c.upload_id == upload_id
        with self.suite.database.read() as connection:
            return int(
                connection.execute(select(load_attempts.c.attempts).where(mine)).scalar_one()
            )

    def is_whole(self, upload_id: str) -> bool:
        """Whether it is loaded once, announced, and has its reject."""
        upload = self.suite.store.get(upload_id)
        return (
            (upload.state, upload.rows) == (State.COMPLETED_WITH_REJECTS, COUNTS)
            and upload.announced
            and upload_id in self.suite.announced()
            and [reject.line for reject in self.suite.rejects(upload_id)] == [4]
        )


@pytest.fixture
def loads(suite: Suite) -> Loads:
    return Loads(suite)


def test_a_load_waits_out_weather_at_each_call_and_counts_one_attempt(loads: Loads) -> None:
    calls = loads.calls()
    assert {"files.open", "database.commit", "database.commit answered"} <= set(calls)
    weather = weather_on(loads.suite)

    wrong = [
        loads.tell(number, call, upload_id)
        for number, call in enumerate(calls)
        if not loads.is_whole(upload_id := loads.load(number, weather))
        or loads.attempts(upload_id) != 1
    ]
    assert wrong == []


@pytest.mark.parametrize("database_url", ["sqlite_database_url"], indirect=True)
def test_a_mistake_of_ours_at_any_call_costs_one_attempt_at_most(loads: Loads) -> None:
    calls = loads.calls()
    behind = loads.suite.accept("jobs", "9,Baker\n")

    wrong = [
        loads.tell(number, call, upload_id)
        for number, call in enumerate(calls)
        if not loads.is_whole(upload_id := loads.load(number, mistake))
        or loads.attempts(upload_id) > 2
    ]
    assert wrong == []
    assert loads.suite.store.get(behind).state == State.COMPLETED


def test_some_errors_of_the_table_are_waited_out_at_some_statement(loads: Loads) -> None:
    errors = errors_of_the_table(loads.suite)[::_SAMPLED]
    statements = loads.statements()

    pairs = [(statements[turn % len(statements)], number) for turn, number in enumerate(errors)]
    assert_waited_out(loads, pairs)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_each_error_of_the_table_is_waited_out_at_each_statement(loads: Loads) -> None:
    errors = errors_of_the_table(loads.suite)
    pairs = [(statement, number) for statement in loads.statements() for number in errors]
    print(f"{len(errors)} errors, {len(pairs)} loads")
    assert_waited_out(loads, pairs)


def errors_of_the_table(suite: Suite) -> list[int]:
    of = {"sqlite": "SQLite", "mysql": "MySQL, MariaDB"}[suite.database.engine.dialect.name]
    return [row.number for row in WEATHER_TABLE if row.of == of]


def assert_waited_out(loads: Loads, pairs: list[tuple[int, int]]) -> None:
    dialect = loads.suite.database.engine.dialect.name
    wrong = []
    for statement, number in pairs:
        weather = weather_on(loads.suite, driver_error(dialect, number))
        upload_id = loads.load(statement, weather)
        if not loads.is_whole(upload_id) or loads.attempts(upload_id) != 1:
            wrong.append((number, *loads.tell(statement, "database.statement", upload_id)))
    assert wrong == []


def test_an_error_that_stands_in_no_table_costs_attempts(loads: Loads) -> None:
    dialect = loads.suite.database.engine.dialect.name
    unknown = driver_error(dialect, {"sqlite": sqlite3.SQLITE_MISMATCH, "mysql": 1366}[dialect])
    calls = loads.calls()
    loading = calls.index("database.write", calls.index("files.open"))
    statement = calls.index("database.statement", loading)

    upload_id = loads.load(statement, weather_on(loads.suite, unknown))

    assert loads.is_whole(upload_id)
    assert loads.attempts(upload_id) == 2


def test_statements_that_are_ended_again_and_again_end_the_upload(suite: Suite) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    behind = suite.accept("jobs", "10,Cook\n")
    ended = 0

    def refuse(**changes: Any) -> None:
        nonlocal ended
        if changes.get("state") == State.LOADING:
            ended += 1
            suite.faulty_database.refused = [StatementInterrupted("a limit of 30 s")]

    suite.faulty_store.after["update"] = [refuse] * 25
    suite.processor().process_up_to(upload_id)
    suite.faulty_store.after.clear()
    suite.processor().process_up_to(behind)

    upload = suite.store.get(upload_id)
    assert upload.error is not None
    assert (upload.state, upload.error.code, ended) == (State.FAILED, "too-slow", 10)
    assert suite.store.get(behind).state == State.COMPLETED
