"""Random histories of uploads, batches, undos and undos of undos, with kills, against the model.

`make chaos` runs those of 200 seeds on each kind of database. These are 2,000, on MySQL or MariaDB:

    UNDO_SEEDS=0-2000 .venv/bin/pytest -sm chaos -k "mysql and histories" tests/unit/dbuploader
"""

import os
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, select

from dbuploader.batches.merge import Batches
from dbuploader.db.schema import journal_head
from dbuploader.journal.changes import Author
from muster.contracts.tables import get_table, tables
from muster.contracts.tables.sql import hires_summary, sql_table
from muster.contracts.uploads import Upload
from tests.unit.dbuploader.suite import BATCH_LIMITS, Killed, Suite
from tests.unit.dbuploader.uploads.test_faults_at_each_call import Loads
from tests.unit.dbuploader.uploads.undo_model import DEPARTMENTS, HIRES, JOBS, Decided, Model, Row

FRESH = random.randrange(2**32)
SEEDS = os.environ.get("UNDO_SEEDS", f"{FRESH}-{FRESH + 200}")
SAMPLE_SECONDS = 4.0
STEPS = 12
MOST_CALLS = 60

KEYS = {DEPARTMENTS: 4, JOBS: 4, HIRES: 8}
NAMES = ("Ana", "Bob")
QUARTERS = ("2021-01-01", "2021-05-01", "2022-05-01")


class History:
    """One history: each step is taken by the loader and by the model, and both are compared."""

    def __init__(self, loads: Loads, seed: int) -> None:
        self.suite = loads.suite
        self.loads = loads
        self.chance = random.Random(seed)
        self.steps: Counter[str] = Counter()
        self.told: list[str] = []
        self.suite.limits = replace(self.suite.limits, uploads=self.chance.choice((1, 64)))
        _empty(self.suite)
        self.model = Model(_latest_number(self.suite))
        self.uploads: list[tuple[str, str]] = []
        self.waiting: list[tuple[str, Callable[[], Decided]]] = []

    def run(self) -> None:
        """Take all steps; raises AssertionError at the first difference."""
        for _ in range(STEPS):
            self._step()
        self._load_waiting()

    def _step(self) -> None:
        kinds = ["upload", "undo"] if self.uploads else ["upload"]
        if not self.waiting:
            kinds.append("batch")
        kind = self.chance.choices(kinds, [4, 5, 2][: len(kinds)] if self.uploads else None)[0]
        self.steps[kind] += 1
        {"upload": self._upload, "undo": self._undo, "batch": self._batch}[kind]()
        if self.chance.random() < 0.6:
            self._load_waiting()

    def _upload(self) -> None:
        table = self.chance.choice((DEPARTMENTS, JOBS, HIRES, HIRES))
        rows, dry_run = self._rows(table), self.chance.random() < 0.15
        content = "".join(f"{','.join(map(str, row))}\n" for row in rows)
        entry = self.suite.accept(table, content, dry_run=dry_run)
        self.told.append(f"{entry[:4]} loads {table} {rows} dry_run={dry_run}")
        self._wait(entry, table, lambda: self.model.load(entry, table, rows, dry_run=dry_run))

    def _undo(self) -> None:
        undoes, table = self.chance.choice(self.uploads[-6:])
        everything, dry_run = self.chance.random() < 0.2, self.chance.random() < 0.15
        mode = "all" if everything else "possible"
        entry = self.suite.accept_undo(undoes, mode=mode, dry_run=dry_run)
        self.steps["undo of an undo"] += self.suite.store.get(undoes).kind == "undo"
        self.told.append(f"{entry[:4]} undoes {undoes[:4]} {mode} dry_run={dry_run}")

        def expect() -> Decided:
            return self.model.undo(entry, undoes, table, everything=everything, dry_run=dry_run)

        self._wait(entry, table, expect)

    def _batch(self) -> None:
        table = self.chance.choice((DEPARTMENTS, JOBS, HIRES))
        rows, entry = self._rows(table), uuid.uuid4().hex
        names = get_table(table).column_names
        self.told.append(f"{entry[:4]} sends {table} {rows}")
        answer = Batches(self.suite.database, BATCH_LIMITS).merge(
            get_table(table),
            [dict(zip(names, row, strict=True)) for row in rows],
            None,
            Author(entry, "batch", "ana", "ana@example.com"),
        )
        decided = self.model.batch(entry, table, rows)
        assert (answer.status == 200) == (decided.state == "accepted"), self.told
        self._compare_tables()

    def _rows(self, table: str) -> list[Row]:
        chance = self.chance
        keys = chance.sample(range(1, KEYS[table] + 1), chance.randint(1, KEYS[table] // 2))
        if table != HIRES:
            return [(key, chance.choice(NAMES)) for key in keys]
        return [
            (
                key,
                chance.choice(NAMES),
                f"{chance.choice(QUARTERS)}T00:00:00Z",
                chance.randint(1, KEYS[DEPARTMENTS]),
                chance.randint(1, KEYS[JOBS]),
            )
            for key in keys
        ]

    def _wait(self, entry: str, table: str, expect: Callable[[], Decided]) -> None:
        self.uploads.append((entry, table))
        self.waiting.append((entry, expect))

    def _load_waiting(self) -> None:
        if not self.waiting:
            return
        last = self.waiting[-1][0]
        self.loads.faults.clear()
        if self.chance.random() < 0.3:
            self.loads.faults.arm(self.chance.randrange(MOST_CALLS), lambda _call: Killed())
            with suppress(Killed):
                self.loads.processor().process_up_to(last)
                self.steps["ended before its kill"] += 1
            self.steps["kill"] += 1
            self.loads.faults.clear()
        for entry, _ in self.waiting:
            self.loads.processor().process_up_to(entry)
        for entry, expect in self.waiting:
            self._compare(self.suite.store.get(entry), expect())
        self.waiting.clear()
        self._compare_tables()
        for entry, _ in self.uploads:
            assert self.suite.store.get(entry).undone_by == self.model.undone_by(entry), self.told

    def _compare(self, upload: Upload, decided: Decided) -> None:
        error = None if upload.error is None else upload.error.code
        found = (upload.state.value, error, upload.change, upload.announced)
        change = decided.number if decided.written else None
        assert found == (decided.state, decided.code, change, True), (upload, self.told)
        if upload.kind == "upload":
            counts = {"unprocessed": 0, **decided.counts}
            assert asdict(upload.rows) == counts, (upload, self.told)
            return
        undone = {} if upload.undone is None else asdict(upload.undone)
        assert undone == decided.counts, (upload, self.told)
        assert self._left(upload) == sorted(decided.left), (upload, self.told)
        if upload.impact is not None:
            holders = [(each.change, each.upload, each.rows) for each in upload.impact.holders]
            assert holders == decided.holders, (upload, self.told)

    def _left(self, undo: Upload) -> list[tuple[int, str, int | None]]:
        """The rows that an undo has left, each with its code and the change that is named."""
        if undo.rejects is None:
            return []
        left = []
        for reject in self.suite.rejects(undo.id):
            (key,), (error, *_) = reject.cells or ("",), reject.errors
            named = re.search(r"\(change (\d+)\)$", error.message)
            left.append((int(key), error.code, int(named[1]) if named else None))
        return sorted(left)

    def _compare_tables(self) -> None:
        for table in (DEPARTMENTS, JOBS, HIRES):
            rows = [_as_sent(row) for row in self.suite.rows(table)]
            assert rows == [*self.model.rows(table)], (table, self.told)
        assert self.suite.summary() == self.suite.expected_summary(), self.told


def _as_sent(row: tuple[Any, ...]) -> Row:
    return tuple(f"{v.isoformat()}Z" if hasattr(v, "isoformat") else v for v in row)


def _empty(suite: Suite) -> None:
    """What earlier histories have left in the tables goes; the journal goes on."""
    with suite.database.write() as connection:
        connection.execute(delete(hires_summary))
        for table in reversed([*tables()]):
            connection.execute(delete(sql_table(table)))


def _latest_number(suite: Suite) -> int:
    with suite.database.read() as connection:
        return int(connection.scalars(select(journal_head.c.number)).one())


@pytest.fixture
def loads(empty_suite: Suite) -> Loads:
    return Loads(empty_suite)


def run_histories(loads: Loads, seeds: Iterator[int]) -> Counter[str]:
    """Run a history of each seed; returns how many steps of each kind were taken."""
    steps: Counter[str] = Counter()
    for seed in seeds:
        history = History(loads, seed)
        try:
            history.run()
        except BaseException:
            print("seed", seed)
            raise
        steps.update(history.steps)
        steps["history"] += 1
    return steps


def told(seeds: range) -> Iterator[int]:
    """The seeds, with a word for who watches now and then."""
    for seed in seeds:
        yield seed
        if seed % 50 == 49:
            print(f"{seed + 1 - seeds.start} histories")


def seeds_for(seconds: float) -> Iterator[int]:
    """The first ones, as many as there is time for: fresh ones are for `make chaos`."""
    until = time.monotonic() + seconds
    for seed in count():
        if time.monotonic() >= until:
            return
        yield seed


def test_some_histories_end_as_the_model_has_it(loads: Loads) -> None:
    print(run_histories(loads, seeds_for(SAMPLE_SECONDS)))


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_many_histories_end_as_the_model_has_it(loads: Loads) -> None:
    first, _, end = SEEDS.partition("-")
    print(run_histories(loads, told(range(int(first), int(end)))))
