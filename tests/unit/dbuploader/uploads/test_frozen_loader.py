"""A loader that stands still in any statement: the next takes over, and it harms nothing after."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from dbuploader.db.schema import ledger
from muster.contracts.uploads import State
from muster.filestore import FileNotStored
from tests.servers.mysqlwire import MysqlWire
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.uploads.frozen import Loader, frozen_at
from tests.waiting import eventually

SOON_SECONDS = 30
FEW, MANY = 40, 20_000

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def wire(mysql_database_url: str) -> Iterator[MysqlWire]:
    with MysqlWire(mysql_database_url) as wire:
        yield wire


@pytest.fixture
def standby(tmp_path: Path, mysql_database_url: str) -> Iterator[Suite]:
    """The loader that stands by, with departments and jobs 1 to 3."""
    suite = Suite(tmp_path, mysql_database_url)
    suite.seed()
    yield suite
    suite.close()


def hires(rows: int, number: int) -> str:
    """Rows of which the first half is in each such file, with other values, and one reject."""
    known = [f"{key},Name {number},2021-07-27T16:02:08Z,1,2\n" for key in range(rows // 2)]
    first = 1_000_000 + number * rows
    new = [f"{first + key},New,2021-07-27T16:02:08Z,2,3\n" for key in range(rows // 2)]
    return "".join([*known, *new, "x\n"])


@contextmanager
def soon(suite: Suite) -> Iterator[None]:
    """What is done in the block gives up when it takes too long."""
    timer = threading.Timer(SOON_SECONDS, suite.stop.set)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def take_over(standby: Suite, upload_id: str) -> float:
    """Finish the upload; returns how many seconds that takes."""
    processor = standby.processor()
    started = time.monotonic()
    with soon(standby):
        processor.take_over()
        processor.process_up_to(upload_id)
    return time.monotonic() - started


def traces(suite: Suite, upload_id: str) -> tuple[object, ...]:
    """All that a second loader could change, and which file the rejects are."""
    upload = suite.store.get(upload_id)
    with suite.database.read() as connection:
        decided = connection.execute(select(ledger).where(ledger.c.upload_id == upload_id)).one()
    try:
        with suite.stores.files.open(upload.rejects_name) as file:
            rejects = os.fstat(file.fileno())
            written = rejects.st_ino, rejects.st_mtime_ns
    except FileNotStored:
        written = None
    return upload, decided, written, suite.rows("hired_employees"), suite.summary()


def assert_is_taken_over(standby: Suite, loader: Loader, upload_id: str) -> float:
    """Take over from the frozen loader; it must change nothing when it goes on."""
    seconds = take_over(standby, upload_id)
    assert standby.store.get(upload_id).state == State.COMPLETED_WITH_REJECTS
    assert standby.summary() == standby.expected_summary()
    before = traces(standby, upload_id)
    assert loader.thaw() == 0
    assert traces(standby, upload_id) == before
    return seconds


def freeze_at_each(standby: Suite, wire: MysqlWire, rows: int, step: int, start: int = 0) -> int:
    """Freeze a loader at every `step`th piece that passes; returns how often."""
    slowest, piece, moments = (0.0, ""), start, 0
    while True:
        upload_id = standby.accept("hired_employees", hires(rows, piece))
        loader = Loader(standby, wire.url, upload_id)
        with frozen_at(wire, loader, piece) as statement:
            if statement is None:
                break
            seconds = assert_is_taken_over(standby, loader, upload_id)
            print(f"{piece}: {statement}: {seconds:.2f} s")
            slowest = max(slowest, (seconds, statement))
        piece, moments = piece + step, moments + 1
    print(f"{moments} moments, the slowest: {slowest}")
    return moments


def test_the_next_loader_takes_over_from_one_that_is_frozen_in_a_statement(
    standby: Suite, wire: MysqlWire
) -> None:
    assert freeze_at_each(standby, wire, FEW, step=58, start=46) >= 2


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(("rows", "start", "least"), [(FEW, 0, 20), (MANY, 84, 5)])
def test_the_next_loader_takes_over_from_one_that_is_frozen_in_any_statement(
    standby: Suite, wire: MysqlWire, rows: int, start: int, least: int, part: int
) -> None:
    """With many rows, in the statements that take them: those before take no longer."""
    assert freeze_at_each(standby, wire, rows, step=4, start=start + part) >= least


@pytest.mark.parametrize(
    ("moment", "call"),
    [("before", "write"), ("after", "write"), ("before", "update"), ("after", "get")],
)
def test_the_next_loader_takes_over_from_one_that_is_frozen_at_the_store(
    standby: Suite, wire: MysqlWire, moment: str, call: str
) -> None:
    upload_id = standby.accept("hired_employees", hires(FEW, 1))
    loader = Loader(standby, wire.url, upload_id, moment, call)
    with loader:
        eventually(lambda: loader.is_frozen)
        assert_is_taken_over(standby, loader, upload_id)
