"""One small upload after millions of rows and many uploads, beside one after none."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path

from bench.figures import Comparison, Figure, at_most
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.part import Answer, Plan
from bench.servers import no_servers, running_suite
from bench.timing import Reading, series_of
from bench.uploading import SMALL_ROWS, load, load_parents, seconds_of_small
from embedded.client import Client

_ROWS = 3_300_000
_UPLOADS = 300_000
_REPEATS = 15
# Copies of a final upload's record, each with an id and a time of its own.
_COPY = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :uploads)
INSERT INTO uploads (document)
SELECT json_set(document, '$.id', lower(hex(randomblob(16))), '$.idempotency_key', NULL)
FROM numbers CROSS JOIN (SELECT document FROM uploads WHERE announced ORDER BY sequence LIMIT 1)
"""


def measure(plan: Plan) -> Answer:
    """Send small files to a new suite and to one with a past, in turns."""
    ids = count(10_000_000)
    turns: dict[str, Callable[[], Reading]] = {}
    with ExitStack() as stack:
        for name, make in (("new", None), ("past", _make_past)):
            family = stack.enter_context(no_servers(plan.directory / name))
            suite, client = stack.enter_context(running_suite(family))
            load_parents(client, plan.samples)
            if make is not None:
                make(client, suite.home, plan)
            turns[name] = partial(_one, client, ids)
        found = interleaved(plan.runs, turns)
    past = f"{_ROWS:,} rows and {_UPLOADS:,} uploads"
    figure = Figure(
        f"an upload of {SMALL_ROWS} rows after {past}, against none",
        series_of("ms", found["past"]),
        series_of("ms", found["new"]),
        Comparison.RATIO,
        at_most(1.2),
    )
    return Answer("After many uploads", (figure,), _CONDITIONS)


_CONDITIONS = (
    f"The embedded default. A time in a run is the median of {_REPEATS}, from POST to final.",
    "The rows were uploaded in one file. The uploads of the past are copies of the record of one "
    "that is final; they have no entry of their own in the ledger.",
)


def _one(client: Client, ids: Iterator[int]) -> Reading:
    return Reading(1000 * seconds_of_small(client, ids, _REPEATS))


def _make_past(client: Client, home: Path, plan: Plan) -> None:
    path = plan.directory / "past.csv"
    write_hires(path, _ROWS)
    load(client, path, inserted=_ROWS)
    path.unlink()
    (records,) = home.rglob("records.db")
    with closing(sqlite3.connect(records, timeout=60)) as connection, connection:
        connection.execute(_COPY, {"uploads": _UPLOADS})
