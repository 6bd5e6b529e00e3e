"""Every process dies at each of its crash points: nothing is lost, and nothing is doubled."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from embedded.client import Client
from muster.crashpoints import Point
from tests.e2e.conftest import ADMIN, PATIENTLY
from tests.e2e.crashing import VISITS, CrashPoints, Visit
from tests.e2e.families import Family, embedded_family
from tests.e2e.stock import Stock, take_stock
from tests.e2e.supply import Supply
from tests.e2e.sweep import Sweep
from tests.servers.greylisting import PUT_OFF

PASSWORD = "correct horse battery"
PERMISSIONS = ["uploads:write", "uploads:admin"]
REPETITIONS = 10
# Between what is done and where it is written down: a mistake here would do it twice.
MOST_DELICATE = {Point.LOAD_COMMITTED, Point.NOTIFY_MAIL_SENT}


def sweep(family: Family, visits: Sequence[Visit], repetitions: int, directory: Path) -> None:
    points = CrashPoints(directory)
    family = replace(family, environment={**family.environment, **points.environment()})
    with family.run() as suite, ExitStack() as stack:
        admin = stack.enter_context(Client(suite.url, ADMIN, suite.admin_password()))
        users = []
        for name in ("user@example.com", f"{PUT_OFF}@example.com"):
            admin.add_user(name, PASSWORD, PERMISSIONS)
            users.append(stack.enter_context(Client(suite.url, name, PASSWORD)))
        sweep = Sweep(points, Supply(repetitions * 150), *users)
        sweep.load_parents()
        sweep.run(visits, repetitions)
        stock = take_stock(family, admin, sweep.files, sweep.cancelled)
    print(figures(points, stock))
    stops = {stop for visit in visits for stop in visit.stops}
    assert all(points.deaths[stop] >= repetitions for stop in stops)
    assert_nothing_lost_or_doubled(points, stock)


def figures(points: CrashPoints, stock: Stock) -> str:
    lost, doubled = len(stock.lost | stock.emails_lost), len(stock.doubled)
    repeated, sent = sum(stock.repeated.values()), deaths_at(points, Point.NOTIFY_MAIL_SENT)
    each = "\n".join(f"  {count} x {stop}" for stop, count in points.deaths.items())
    return (
        f"\n{len(points.deaths)} crash points x {min(points.deaths.values())} repetitions,"
        f" {points.deaths.total()} deaths, {stock.uploads} uploads: {lost} lost, {doubled} doubled;"
        f"\n{repeated} emails repeated, after {sent} deaths at {Point.NOTIFY_MAIL_SENT}.\n{each}"
    )


def deaths_at(points: CrashPoints, point: Point) -> int:
    return sum(count for stop, count in points.deaths.items() if stop.point == point)


def assert_nothing_lost_or_doubled(points: CrashPoints, stock: Stock) -> None:
    assert not stock.lost | stock.emails_lost
    assert not stock.doubled
    # An email that was sent, and not recorded, is sent once more: docs/guarantees.md.
    assert set(stock.repeated.values()) <= {1}
    assert len(stock.repeated) <= deaths_at(points, Point.NOTIFY_MAIL_SENT)


def test_the_sweeps_visit_every_point() -> None:
    visited = {stop.point for visits in VISITS.values() for visit in visits for stop in visit.stops}
    assert visited == set(Point)


@PATIENTLY
def test_nothing_is_lost_or_doubled_at_some_crash_points(tmp_path: Path) -> None:
    visits = [visit for visit in VISITS["embedded"] if visit.stops[-1].point in MOST_DELICATE]
    sweep(embedded_family(tmp_path), visits, 1, tmp_path / "points")


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(5400)
def test_nothing_is_lost_or_doubled_at_any_crash_point(own_servers: Family, tmp_path: Path) -> None:
    sweep(own_servers, VISITS["servers"], REPETITIONS, tmp_path / "points")
