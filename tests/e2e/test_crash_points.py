"""Every process dies at each call of its ports: nothing is lost, and nothing is doubled."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from embedded.client import Client
from tests.e2e.conftest import ADMIN, PATIENTLY
from tests.e2e.crashing import (
    DELICATE,
    OF_UNDOS,
    SCENARIOS,
    CrashPoints,
    Kind,
    Scenario,
    Stop,
    Visit,
    changes_of,
)
from tests.e2e.families import Family, embedded_family
from tests.e2e.stock import Stock, take_stock
from tests.e2e.supply import Supply
from tests.e2e.sweep import Sweep
from tests.e2e.waiting import wait_until
from tests.e2e.workload import UndoOrder
from tests.faults.ports import ANSWER
from tests.faults.process import MODULES
from tests.faults.table import crash_table
from tests.servers.greylisting import PUT_OFF

PASSWORD = "correct horse battery"
PERMISSIONS = ["uploads:write", "uploads:undo", "uploads:admin"]
UNDOS = (Kind.UNDO, Kind.UNDO_LARGE)
REPETITIONS = 2
FILES = 3000
FILES_TO_UNDO = 2400
# As many named points as stood in the code when the sweep learned them from there.
LEAST_POINTS = 29
# Made after 10,000 rows that one process has written: in a sweep few live that long.
OCCASIONAL = frozenset({"database.analyze", "database.analyze answered"})
MOST_MISSED = 0.1


class Course:
    """A sweep under way, over a family's suite; `stock` is taken at its end."""

    def __init__(self, family: Family, admin: Client, points: CrashPoints, sweep: Sweep) -> None:
        self._family = family
        self._admin = admin
        self.points = points
        self.sweep = sweep

    def take_stock(self) -> Stock:
        """What became of all uploads."""
        sweep = self.sweep
        return take_stock(self._family, self._admin, sweep.files, sweep.cancelled)


@contextmanager
def course(family: Family, directory: Path, files: int) -> Iterator[Course]:
    """A suite whose processes can be ended, with what the other files refer to loaded."""
    points = CrashPoints(directory)
    for process in MODULES:
        points.listen(process)
    family = replace(family, environment={**family.environment, **points.environment()})
    with family.run() as suite, ExitStack() as stack:
        admin = stack.enter_context(Client(suite.url, ADMIN, suite.admin_password()))
        users = []
        for name in ("user@example.com", f"{PUT_OFF}@example.com"):
            admin.add_user(name, PASSWORD, PERMISSIONS)
            users.append(stack.enter_context(Client(suite.url, name, PASSWORD)))
        sweep = Sweep(points, Supply(files), *users)
        sweep.load_parents()
        yield Course(family, admin, points, sweep)


def figures(points: CrashPoints, missed: set[Stop], stock: Stock) -> str:
    lost, doubled = len(stock.lost | stock.emails_lost), len(stock.doubled)
    repeated, sent = sum(stock.repeated.values()), deaths_after_sending(points)
    each = "\n".join(f"  {count} x {stop}" for stop, count in points.deaths.items())
    return (
        f"\n{len(points.deaths)} crash points, {points.deaths.total()} deaths, {stock.uploads} "
        f"uploads: {lost} lost, {doubled} doubled;"
        f"\n{repeated} emails repeated, after {sent} deaths between sending and recording it;"
        f"\nmissed: {[*map(str, missed)]}.\n{each}"
    )


def deaths_after_sending(points: CrashPoints) -> int:
    """Deaths after which an email may come again: it was sent, and that is not recorded yet."""
    calls = ("mail.send" + ANSWER, "uploads.update")
    return sum(
        count
        for stop, count in points.deaths.items()
        if stop.process == "notification-consumer" and stop.call in calls
    )


def assert_nothing_lost_or_doubled(points: CrashPoints, stock: Stock) -> None:
    assert not stock.lost | stock.emails_lost
    assert not stock.doubled
    # What was sent, and not recorded, is sent once more: one email, or up to 15 that were told
    # early (docs/guarantees.md).
    deaths = deaths_after_sending(points)
    assert all(times <= deaths for times in stock.repeated.values())
    assert len(stock.repeated) <= 15 * deaths


def assert_the_docs_know(points: CrashPoints, family: str) -> None:
    """The table of docs/guarantees.md has what is called, and every call that changes something."""
    for process, told in crash_table(family).items():
        wait_until(lambda process=process, told=told: told <= points.known(process))  # type: ignore[misc]
        # Whether an upload waits right behind another is chance.
        assert changes_of(points, process) <= crash_table(family, "behind")[process]


def sweep_all(family: Family, scenarios: str, repetitions: int, directory: Path) -> None:
    with course(family, directory, FILES) as under_way:
        sweep, points = under_way.sweep, under_way.points
        visits = sweep.learn(SCENARIOS[scenarios])
        sweep.run(visits, repetitions)
        stock = under_way.take_stock()
        assert_the_docs_know(points, scenarios)
    print(figures(points, sweep.missed, stock))
    assert_visited(visits, sweep.missed)
    assert_nothing_lost_or_doubled(points, stock)


def sweep_undos(family: Family, name: str, directory: Path) -> None:
    """As sweep_all, by undos alone; each is done once, says so, and what it undid names it."""
    with course(family, directory, FILES_TO_UNDO) as under_way:
        sweep, points = under_way.sweep, under_way.points
        for kind in UNDOS:
            sweep.load_undoable(kind, 4 * len(OF_UNDOS))
        visits = sweep.learn(OF_UNDOS)
        for kind in UNDOS:
            # A visit whose stop is passed by is tried again, with another one.
            sweep.load_undoable(kind, 2 * sum(visit.kind is kind for visit in visits))
        sweep.run(visits, 1, at_once=False)
        stock = under_way.take_stock()
        for process, told in crash_table(name, "behind").items():
            assert changes_of(points, process) <= told
    print(f"\n{undos(sweep)}{figures(points, sweep.missed, stock)}")
    assert_visited(visits, sweep.missed)
    assert_nothing_lost_or_doubled(points, stock)


def undos(sweep: Sweep) -> str:
    """How many of them there were."""
    orders = [each for each in sweep.files if isinstance(each, UndoOrder)]
    of_undos = {each.accepted["id"] for each in orders} & {each.undoes for each in orders}
    return f"{len(orders)} undos, {len(of_undos)} of them undone;"


def assert_visited(visits: Sequence[Visit], missed: set[Stop]) -> None:
    stops = {visit.stops[-1] for visit in visits}
    assert len(stops) >= LEAST_POINTS
    assert len(missed) <= MOST_MISSED * len(stops)
    assert {stop.call for stop in missed} - OCCASIONAL <= {stop.call for stop in stops - missed}


def test_a_point_is_visited_wherever_something_outside_has_changed() -> None:
    reading = ["broker.delivery", "uploads.get", "uploads.get answered"]
    read = ["database.read", "database.statement", "database.statement"]
    written = [
        "database.write",
        "database.statement",
        "database.commit",
        "database.commit answered",
    ]
    changed = ["uploads.update", "uploads.update answered", "broker.verdict", "broker.settled"]
    at_once = ["files.write", "uploads.unfinished", "files.write answered"]

    visits = Scenario("dbuploader-consumer").visits(
        [*reading, *read, *written, *read, *changed, *at_once], []
    )

    assert [visit.stops[-1].call for visit in visits] == [
        "broker.delivery",
        *("database.commit", "database.commit answered"),
        *("uploads.update answered", "broker.settled"),
        *("files.write", "uploads.unfinished", "files.write answered"),
    ]


@PATIENTLY
def test_nothing_is_lost_or_doubled_at_some_crash_points(tmp_path: Path) -> None:
    with course(embedded_family(tmp_path), tmp_path / "points", 300) as under_way:
        under_way.sweep.run(DELICATE, 1)
        stock = under_way.take_stock()
        # Whether it names a call that nothing makes is seen by the sweep of all.
        for process, told in crash_table("embedded", "behind").items():
            assert changes_of(under_way.points, process) <= told
    assert not under_way.sweep.missed
    assert_nothing_lost_or_doubled(under_way.points, stock)


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(5400)
def test_nothing_is_lost_or_doubled_at_any_crash_point(own_servers: Family, tmp_path: Path) -> None:
    sweep_all(own_servers, "servers", REPETITIONS, tmp_path / "points")


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(5400)
def test_nothing_is_lost_or_doubled_on_the_embedded_default(tmp_path: Path) -> None:
    sweep_all(embedded_family(tmp_path), "embedded", 1, tmp_path / "points")


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(5400)
def test_an_undo_is_done_once_whoever_dies_at_whichever_point(
    own_servers: Family, tmp_path: Path
) -> None:
    sweep_undos(own_servers, "servers", tmp_path / "points")


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(5400)
def test_an_undo_on_the_embedded_default_is_done_once_whoever_dies(tmp_path: Path) -> None:
    sweep_undos(embedded_family(tmp_path), "embedded", tmp_path / "points")
