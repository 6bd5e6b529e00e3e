"""Connections to the server that break at any moment: nothing fails, is counted or is doubled."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from dbuploader.db.schema import ledger, load_attempts
from dbuploader.settings import LoadLimits
from muster.database import Database, DatabaseUnavailable, open_database
from tests.e2e.model import Model
from tests.e2e.workload import UploadFile, make_files
from tests.servers.mysqlwire import MysqlWire, Passage
from tests.unit.dbuploader.suite import Suite

SEED = 20210101
IDS = range(1, 61)
# Rows of a file: most of what passes is many statements, or much of one.
SMALL, LARGE = (20, 1_000), 30_000
STATEMENTS = ("LOAD DATA", "INSERT", "SELECT", "COMMIT")
ALL = (*STATEMENTS, "another")

Fault = Callable[[Passage], None]


class Striker:
    """Strikes at a random piece of what passes with a statement of `kinds`, each in its turn.

    How many pieces there are is learnt from the uploads before of that size.
    """

    def __init__(self, fault: Fault, kinds: Sequence[str], chance: random.Random) -> None:
        self._fault = fault
        self._kinds = cycle(kinds)
        self._kind = ""
        self._chance = chance
        self._pieces: dict[int, Counter[str]] = {}
        self._size = 0
        self._wait: int | None = None
        self.struck: Counter[str] = Counter()

    def begin(self, size: int) -> None:
        """An upload of that size comes."""
        known = self._pieces.get(size)
        self._size, self._pieces[size] = size, Counter()
        if self._wait is None and known is not None:
            self._kind = next(self._kinds)
            self._wait = self._chance.randrange(max(known[self._kind], 1))

    def __call__(self, passage: Passage, to_server: bool) -> None:
        kind = _kind(passage.statement)
        if kind == "COMMIT" and not to_server:
            # Only a request has an answer to be cut off.
            return
        self._pieces.setdefault(self._size, Counter())[kind] += 1
        if self._wait is None or kind != self._kind:
            return
        self._wait -= 1
        if self._wait < 0:
            self._wait = None
            self.struck[kind] += 1
            self._fault(passage)


def _kind(statement: str) -> str:
    return next((kind for kind in STATEMENTS if statement.upper().startswith(kind)), "another")


@pytest.fixture
def wire(mysql_database_url: str) -> Iterator[MysqlWire]:
    with MysqlWire(mysql_database_url) as wire:
        yield wire


@pytest.fixture
def direct(mysql_database_url: str) -> Iterator[Database]:
    """The server as an administrator reaches it."""
    with closing(open_database(mysql_database_url)) as database:
        yield database


@pytest.fixture
def behind(wire: MysqlWire, tmp_path: Path) -> Iterator[Suite]:
    """A suite whose database is reached over the wire, with all departments and jobs."""
    suite = Suite(tmp_path, wire.url)
    suite.limits = LoadLimits(reject_bytes=128 * 1024**2, seconds=3600)
    yield suite
    suite.close()


def faults(direct: Database) -> dict[str, tuple[Fault, Sequence[str]]]:
    def kill(passage: Passage) -> None:
        # It may have ended by itself.
        with (
            suppress(DBAPIError, DatabaseUnavailable),
            direct.engine.connect() as connection,
        ):
            connection.exec_driver_sql(f"KILL CONNECTION {passage.id}")

    return {
        "RST": (Passage.reset, ALL),
        "KILL": (kill, ALL),
        "cut COMMIT": (Passage.lose_answer, ["COMMIT"]),
    }


def files(count: int, sizes: Sequence[int], chance: random.Random) -> list[UploadFile]:
    """All parents, twice unstruck files of each size, and then `count` of any, fewer large ones."""
    parents = [
        UploadFile(table, [(str(id_), f"{table} {id_}") for id_ in IDS], {})
        for table in ("departments", "jobs")
    ]
    weights = [20 if size == LARGE else 80 for size in sizes]
    chosen = [*sizes, *sizes, *chance.choices(sizes, weights, k=count)]
    of_size = {
        # Of half of the rows that there may be, so that later files change many.
        size: iter(make_files(2 + chosen.count(size), size, SEED, range(1, 2 * size + 1))[2:])
        for size in sizes
    }
    return [*parents, *(next(of_size[size]) for size in chosen)]


def options(file: UploadFile) -> dict[str, Any]:
    given: dict[str, Any] = dict(file.options)
    if "max_rejects" in given:
        given["max_rejects"] = int(given["max_rejects"])
    if "dry_run" in given:
        given["dry_run"] = True
    return given


def texts(table: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    def text(value: Any) -> str:
        return f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "year") else str(value)

    return [tuple(map(text, row)) for row in rows]


def load_on_a_bad_wire(
    suite: Suite, wire: MysqlWire, striker: Striker, given: Sequence[UploadFile], strikes: int
) -> None:
    """Load the given files until so many strikes are over; nobody may notice."""
    model, processor, wrong, number = Model(), suite.processor(), [], 0
    wire.strike = striker
    for number, file in enumerate(given):
        if striker.struck.total() >= strikes:
            break
        striker.begin(len(file.records))
        expected = model.load(file)
        upload_id = suite.accept(file.table, file.content, **options(file))
        processor.process_up_to(upload_id)
        upload = suite.store.get(upload_id)
        if (upload.state, asdict(upload.rows)) != expected:
            wrong.append((number, upload.state, upload.rows, upload.error, expected))
    wire.strike = lambda _passage, _to_server: None
    counted = attempts(suite)
    print(f"{striker.struck.total()} strikes: {dict(striker.struck)}; {number} uploads;", end=" ")
    print(f"{len(wrong)} wrong; attempts: {counted}")
    assert striker.struck.total() == strikes
    assert wrong == []
    assert set(counted) == {1}
    for table in ("departments", "jobs", "hired_employees"):
        assert texts(table, suite.rows(table)) == texts(table, model.rows(table))
    assert suite.summary() == suite.expected_summary()
    assert len(set(suite.announced())) == len(suite.announced()) == number


def attempts(suite: Suite) -> Counter[int]:
    """How many uploads have how many attempts counted."""
    with suite.database.read() as connection:
        decided = connection.execute(select(func.count()).select_from(ledger)).scalar_one()
        counted = connection.execute(select(load_attempts.c.attempts)).scalars().all()
    assert len(counted) == decided
    return Counter(counted)


@pytest.mark.parametrize(("name", "strikes"), [("RST", 5), ("KILL", 5), ("cut COMMIT", 9)])
@pytest.mark.usefixtures("unhurried")
def test_a_connection_that_breaks_costs_nothing(
    behind: Suite, wire: MysqlWire, direct: Database, name: str, strikes: int
) -> None:
    chance = random.Random(SEED)
    striker = Striker(*faults(direct)[name], chance)
    load_on_a_bad_wire(behind, wire, striker, files(3 * strikes, SMALL, chance), strikes)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ["RST", "KILL", "cut COMMIT"])
def test_connections_that_break_at_random_moments_cost_nothing(
    behind: Suite, wire: MysqlWire, direct: Database, name: str, part: int
) -> None:
    chance = random.Random(SEED + part)
    striker = Striker(*faults(direct)[name], chance)
    load_on_a_bad_wire(behind, wire, striker, files(150, (*SMALL, LARGE), chance), strikes=50)
    assert set(striker.struck) == ({"COMMIT"} if name == "cut COMMIT" else set(ALL))
