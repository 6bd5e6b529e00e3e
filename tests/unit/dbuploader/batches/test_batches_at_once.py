"""Batches of the same rows at the same time: each is counted exactly, and none is given up."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from sqlalchemy import text

from dbuploader.batches.merge import Batches
from muster.contracts.tables import get_table
from tests.unit.dbuploader.suite import BATCH_LIMITS, Suite, an_author

KEYS = range(1, 60)


def a_batch(number: int) -> list[dict[str, Any]]:
    """A third of the keys, in no order."""
    chance = random.Random(number)
    return [
        {
            "id": key,
            "name": f"Ana {number}",
            "datetime": f"202{chance.randint(0, 3)}-0{chance.randint(1, 9)}-01T00:00:00Z",
            "department_id": chance.randint(1, 3),
            "job_id": chance.randint(1, 3),
        }
        for key in chance.sample(KEYS, len(KEYS) // 3)
    ]


def test_overlapping_batches_are_all_written_and_counted(suite: Suite) -> None:
    batches = Batches(suite.database, BATCH_LIMITS)

    def merge(number: int) -> Counter[str]:
        return Counter(
            batches.merge(get_table("hired_employees"), a_batch(number), None, an_author()).content
        )

    with ThreadPoolExecutor(4) as pool:
        counts = sum(pool.map(merge, range(24)), Counter())

    there = suite.rows("hired_employees")
    assert counts["inserted"] == len(there)
    assert counts["read"] == counts["inserted"] + counts["updated"] + counts["unchanged"]
    assert suite.summary() == suite.expected_summary()


@contextmanager
def reading(suite: Suite, seen: set[int]) -> Iterator[None]:
    """Meanwhile a reader notes how many hires it sees, from the rows and from the summary."""
    stop = Event()

    def read() -> None:
        while not stop.is_set():
            with suite.database.read() as connection:
                rows = connection.scalar(text("SELECT COUNT(*) FROM hired_employees"))
                summed = connection.scalar(text("SELECT SUM(hired) FROM hires_summary"))
            seen.add(rows or 0)
            assert rows == (summed or 0)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        yield
        stop.set()
        reader.result()


def test_a_reader_sees_all_rows_of_an_upload_or_none(suite: Suite) -> None:
    content = "".join(f"{key},Ana,2021-01-01T00:00:00Z,1,1\n" for key in range(1, 6001))
    seen: set[int] = set()
    with reading(suite, seen):
        suite.load("hired_employees", content)
    assert seen <= {0, 6000}
