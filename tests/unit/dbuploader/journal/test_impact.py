"""What an upload says that it changes is what it changes in the answers to both questions."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from dbuploader import arrow
from dbuploader.batches.merge import Batches
from dbuploader.db.schema import ledger
from dbuploader.journal import impact
from dbuploader.merge import summary
from muster.contracts.tables import get_table
from muster.contracts.uploads import HiresImpact, Impact, MeanImpact, State, Upload
from tests.unit.dbuploader.journal.answers import (
    ask,
    changes,
    cut,
    without_holders,
    without_names,
)
from tests.unit.dbuploader.suite import BATCH_LIMITS, Suite, an_author

YEARS = range(2019, 2023)
LOADED = {State.COMPLETED, State.COMPLETED_WITH_REJECTS}


def hire(key: int, at: str = "2021-08-01", department: int = 1, job: int = 1) -> str:
    return f"{key},Ana,{at}T00:00:00Z,{department},{job}\n"


def hires(keys: range, **where: Any) -> str:
    return "".join(hire(key, **where) for key in keys)


def told(suite: Suite, table: str, content: str, **options: Any) -> Impact:
    impact = suite.load(table, content, **options).impact
    assert impact is not None
    return impact


def test_numbers_are_told_before_and_after(suite: Suite) -> None:
    suite.load("hired_employees", hires(range(1, 5)))
    found = told(suite, "hired_employees", hires(range(3, 10)))
    assert found.hires == (HiresImpact(2021, 3, 1, "Sales", 4, 9),)
    assert (found.hires_total, found.departments_total) == (1, 0)


def test_a_hire_that_moves_counts_where_it_was_and_where_it_is(suite: Suite) -> None:
    suite.load("hired_employees", hires(range(1, 5)))
    found = told(suite, "hired_employees", hire(4, at="2022-01-01", department=2))
    assert found.hires == (
        HiresImpact(2021, 3, 1, "Sales", 4, 3),
        HiresImpact(2022, 1, 2, "Legal", 0, 1),
    )
    assert found.departments == (MeanImpact(2022, 2, "Legal", above=True),)


def test_a_department_without_hires_counts_in_the_mean(suite: Suite) -> None:
    suite.load("hired_employees", hires(range(3)) + hires(range(3, 6), department=2))
    both = hires(range(1, 4)) + hires(range(4, 7), department=2) + hires(range(7, 10), department=3)
    assert [each.above for each in told(suite, "hired_employees", both).departments] == [False] * 2
    # Of three departments with 3 hires each, none is above their mean; of four, all are.
    found = told(suite, "departments", "4,Support\n")
    assert found.hires == ()
    assert found.departments == tuple(
        MeanImpact(2021, id_, name, above=True)
        for id_, name in ((1, "Sales"), (2, "Legal"), (3, "Research"))
    )


def test_names_and_jobs_change_no_number(suite: Suite) -> None:
    suite.load("hired_employees", hires(range(1, 5)))
    for table, content in [
        ("departments", "1,Selling\n"),
        ("jobs", "1,Baker\n4,Cook\n"),
        ("hired_employees", hires(range(1, 5))),
        ("hired_employees", hires(range(1, 5), job=2)),
    ]:
        assert told(suite, table, content) == Impact()


def test_it_stands_in_the_ledger_and_the_record(suite: Suite) -> None:
    upload = suite.load("hired_employees", hires(range(1, 5)))
    with suite.database.read() as connection:
        kept = connection.scalars(
            select(ledger.c.impact).where(ledger.c.upload_id == upload.id)
        ).one()
    assert kept is not None
    assert upload.impact == Impact(
        (HiresImpact(2021, 3, 1, "Sales", 0, 4),), 1, (MeanImpact(2021, 1, "Sales", above=True),), 1
    )
    again = suite.processor()._ledger.find(upload)
    assert again is not None
    assert again.impact == upload.impact


def test_what_is_not_loaded_changes_nothing(suite: Suite) -> None:
    failed = suite.load("hired_employees", hire(1) + "x\n", max_rejects=0)
    assert (failed.state, failed.impact) == (State.FAILED, None)


def test_the_largest_are_named_and_all_are_counted(suite: Suite) -> None:
    content = "".join(
        hires(range(1000 * number, 1000 * number + number), at=f"{1990 + number}-01-01")
        for number in range(1, 31)
    )
    found = told(suite, "hired_employees", content)
    assert (found.hires_total, found.departments_total) == (30, 30)
    assert [each.after for each in found.hires] == [*range(30, 10, -1)]
    assert [each.year for each in found.departments] == [*range(2020, 2000, -1)]


def test_an_undo_tells_what_it_changes_and_who_held_its_rows(suite: Suite) -> None:
    suite.load("hired_employees", hire(1) + hire(2))
    upload = suite.load("hired_employees", hire(1, department=2) + hire(3))
    held = suite.load("hired_employees", hire(3))
    tried, undo = suite.undo(upload, dry_run=True), suite.undo(upload)
    assert undo.impact is not None
    # One hire goes, and another comes back.
    assert undo.impact.hires == (HiresImpact(2021, 3, 2, "Legal", 1, 0),)
    assert [holder.upload for holder in undo.impact.holders] == [held.id]
    assert tried.impact == undo.impact


def test_an_undo_of_departments_moves_the_mean(suite: Suite) -> None:
    suite.load("hired_employees", "".join(hire(key, department=key) for key in range(1, 4)))
    upload = suite.load("departments", "1,Selling\n4,Support\n")
    tried, undo = suite.undo(upload, dry_run=True), suite.undo(upload)
    crossed = [(2021, name, False) for name in ("Sales", "Legal", "Research")]
    for each, names in ((undo, crossed), (tried, [(2021, "Selling", False), *crossed[1:]])):
        assert each.impact is not None
        found = each.impact.departments
        assert [(some.year, some.department, some.above) for some in found] == names


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go on a few at a time, and the summary is written when ten of its numbers change."""
    monkeypatch.setattr(arrow, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(summary, "_MOST_HELD", 10)
    monkeypatch.setattr(summary, "_SUMMED_UP", 20)
    monkeypatch.setattr(summary, "_FEW", 0)


@pytest.mark.usefixtures("in_small_parts")
def test_a_load_that_writes_the_summary_in_parts_is_told_as_a_whole(suite: Suite) -> None:
    chance = random.Random(1)
    model = Model(chance)
    suite.load("hired_employees", model.hires(300))
    before = ask(suite)
    content = model.hires(300)
    tried = told(suite, "hired_employees", content, dry_run=True)
    assert ask(suite) == before
    loaded = told(suite, "hired_employees", content)
    expected = cut(changes(before, ask(suite)))
    assert loaded == expected
    assert tried == expected
    assert loaded.hires_total > len(loaded.hires)


@pytest.mark.parametrize(
    ("module", "limit"), [(summary, "MOST_NUMBERS"), (impact, "MOST_DEPARTMENTS")]
)
def test_what_is_too_much_to_tell_is_loaded_untold(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, module: Any, limit: str
) -> None:
    monkeypatch.setattr(summary, "_FEW", 0)
    monkeypatch.setattr(module, limit, 2)
    upload = suite.load(
        "hired_employees", "".join(hire(key, f"20{key}-01-01") for key in range(11, 14))
    )
    assert (upload.state, upload.impact) == (State.COMPLETED, None)


def test_each_of_a_run_is_told_as_if_by_itself(suite: Suite) -> None:
    suite.limits = replace(suite.limits, uploads=64)
    ids = [
        suite.accept("hired_employees", hires(range(1, 5))),
        suite.accept("hired_employees", hires(range(5, 7)), dry_run=True),
        suite.accept("departments", "1,Selling\n7,New\n"),
        suite.accept("hired_employees", hire(5) + hire(6, department=7)),
        suite.accept("departments", "1,Sale\n7,Newer\n"),
        suite.accept("hired_employees", hires(range(5, 8))),
    ]
    suite.processor().process_up_to(ids[0])
    found = [suite.store.get(each).impact for each in ids]
    assert [each and each.hires for each in found] == [
        (HiresImpact(2021, 3, 1, "Sales", 0, 4),),
        (HiresImpact(2021, 3, 1, "Sales", 4, 6),),
        (),
        (HiresImpact(2021, 3, 1, "Selling", 4, 5), HiresImpact(2021, 3, 7, "New", 0, 1)),
        (),
        (HiresImpact(2021, 3, 1, "Sale", 5, 7), HiresImpact(2021, 3, 7, "Newer", 1, 0)),
    ]


@contextmanager
def before_the_head_is_locked(suite: Suite, call: Any) -> Iterator[None]:
    """Make the call when a transaction is about to lock the head of the journal; once."""
    calls = [call]

    def interpose(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "journal_head" in statement and "FOR UPDATE" in statement and calls:
            calls.pop()()

    event.listen(suite.database.engine, "before_cursor_execute", interpose)
    yield
    event.remove(suite.database.engine, "before_cursor_execute", interpose)
    assert not calls


@pytest.mark.parametrize("database_url", ["mysql_database_url"], indirect=True)
def test_a_batch_that_commits_first_counts_before(suite: Suite) -> None:
    """On SQLite it waits for the load."""
    batches = Batches(suite.database, BATCH_LIMITS)

    def add() -> None:
        for table, rows in (
            ("departments", [{"id": 9, "department": "Late"}]),
            (
                "hired_employees",
                [
                    {
                        "id": key,
                        "name": "Bob",
                        "datetime": "2021-07-01T00:00:00Z",
                        "department_id": 1,
                        "job_id": 2,
                    }
                    for key in range(100, 103)
                ],
            ),
        ):
            answer = batches.merge(get_table(table), rows, None, an_author())
            assert answer.status == 200

    with before_the_head_is_locked(suite, add):
        found = told(suite, "hired_employees", hire(1) + hire(2, department=2))
    assert found.hires == (
        HiresImpact(2021, 3, 1, "Sales", 3, 4),
        HiresImpact(2021, 3, 2, "Legal", 0, 1),
    )
    # Four departments, and 5 hires: 1 is below.
    assert found.departments == ()


@dataclass
class Model:
    """Makes files at random, in which departments have names of their own."""

    chance: random.Random
    departments: list[int] = field(default_factory=lambda: [1, 2, 3])
    named: int = 0

    def some(self) -> tuple[str, str]:
        """A table and a file for it."""
        table = self.chance.choice(["hired_employees"] * 6 + ["departments"] * 3 + ["jobs"])
        if table == "hired_employees":
            return table, self.hires(self.chance.randint(1, self.chance.choice([3, 12, 40])))
        if table == "departments":
            return table, self.some_departments()
        return table, f"{self.chance.randint(1, 5)},Job {self.chance.randint(1, 9)}\n"

    def hires(self, count: int) -> str:
        """Of known and of new employees, a few of which refer to a department that is not there."""
        keys = self.chance.sample(range(1, 1 + max(80, 2 * count)), count)
        return "".join(
            hire(
                key,
                f"{self.chance.choice(YEARS)}-{self.chance.randint(1, 12):02}-28",
                self.chance.choice([*self.departments * 4, 99]),
                self.chance.randint(1, 3),
            )
            for key in keys
        )

    def some_departments(self) -> str:
        """New ones, and others that get another name."""
        ids = {self.chance.randint(1, 12) for _ in range(self.chance.randint(1, 3))}
        self.departments = sorted({*self.departments, *ids})
        self.named += 10
        return "".join(f"{id_},Department {self.named + place}\n" for place, id_ in enumerate(ids))


Step = tuple[str, str, dict[str, Any]]
"""A table, a file for it, and options; or `undo`, and which of the uploads so far."""


@dataclass(frozen=True)
class Pair:
    """The same uploads, by themselves in one suite, and in runs in the other.

    A dry run is followed by the load of the same file. `loaded` have the ids in both.
    """

    alone: Suite
    crowd: Suite
    loaded: list[tuple[str, str]] = field(default_factory=list)

    def load(self, group: list[Step]) -> None:
        """Load the uploads, and compare what each says with the answers and with the other."""
        expected = [self._load_alone(step) for step in group]
        ids = [self._accept(self.crowd, step, 1) for step in group]
        self.crowd.processor().process_up_to(ids[-1])
        found = [self.crowd.store.get(upload_id).impact for upload_id in ids]
        assert [*map(without_holders, found)] == [without_holders(each.impact) for each in expected]
        assert ask(self.crowd) == ask(self.alone)
        for (_, _, options), tried, done in zip(group, expected, expected[1:], strict=False):
            if "dry_run" in options and done.impact is not None:
                assert tried.impact is not None
                assert without_names(tried.impact) == without_names(done.impact)
        self.loaded.extend(
            (upload.id, upload_id)
            for upload, upload_id in zip(expected, ids, strict=True)
            if upload.change is not None
        )

    def _load_alone(self, step: Step) -> Upload:
        before = ask(self.alone)
        upload_id = self._accept(self.alone, step, 0)
        self.alone.processor().process_up_to(upload_id)
        upload = self.alone.store.get(upload_id)
        if upload.state in LOADED:
            assert without_holders(upload.impact) == cut(changes(before, ask(self.alone)))
        return upload

    def _accept(self, suite: Suite, step: Step, which: int) -> str:
        table, content, options = step
        if table == "undo":
            return suite.accept_undo(self.loaded[int(content)][which], **options)
        return suite.accept(table, content, **options)


@pytest.fixture
def pair(suite: Suite, tmp_path: Path, sqlite_database_url: str) -> Iterator[Pair]:
    suite.limits = replace(suite.limits, uploads=64)
    alone = Suite(tmp_path / "alone", f"sqlite:///{tmp_path}/alone.db")
    alone.seed()
    yield Pair(alone, suite)
    alone.close()


@pytest.mark.parametrize(
    "uploads", [25, pytest.param(500, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])]
)
def test_what_is_told_is_what_both_questions_answer(pair: Pair, uploads: int) -> None:
    chance = random.Random(uploads)
    model = Model(chance)
    loaded = undone = 0
    while loaded < uploads:
        group: list[Step] = []
        for _ in range(chance.choice([1, 1, 2, 5])):
            table, rows = model.some()
            options: dict[str, Any] = {"max_rejects": 0} if chance.random() < 0.1 else {}
            if pair.loaded and chance.random() < 0.2:
                table, rows, options = "undo", str(chance.randrange(len(pair.loaded))), {}
                undone += 1
            if chance.random() < 0.2:
                group.append((table, rows, {"dry_run": True}))
            group.append((table, rows, options))
        pair.load(group)
        loaded += len(group)
    assert undone
