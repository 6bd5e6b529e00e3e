"""Old changes: their former rows go, and they can no longer be undone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from dbuploader.db.schema import changed_keys, changes, former_rows
from dbuploader.journal import expiry
from dbuploader.journal.expiry import ChangeExpiry
from muster.contracts.uploads import State, Upload
from muster.database import DatabaseUnavailable
from tests.unit.dbuploader.suite import Suite

DAYS = 30


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def age(suite: Suite, upload: Upload, days: float) -> None:
    """Have the change that old."""
    made_at = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    mine = changes.c.entry == upload.id
    with suite.database.write() as connection:
        connection.execute(update(changes).where(mine).values(made_at=made_at))


def expired(suite: Suite) -> list[str]:
    with suite.database.read() as connection:
        old = select(changes.c.entry).where(changes.c.expired_at.is_not(None))
        return [*connection.scalars(old.order_by(changes.c.number))]


def former(suite: Suite) -> list[str]:
    with suite.database.read() as connection:
        return [*connection.scalars(select(former_rows.c.entry).order_by(former_rows.c.entry))]


def test_the_former_rows_of_old_changes_go_and_all_else_stays(suite: Suite) -> None:
    old, young = suite.load("jobs", "1,Miller\n"), suite.load("jobs", "2,Miller\n")
    age(suite, old, DAYS + 0.01)
    age(suite, young, DAYS - 0.01)
    with suite.database.read() as connection:
        keys = connection.execute(select(func.count()).select_from(changed_keys)).scalar_one()
    ChangeExpiry(suite.database, DAYS).run_if_due()

    assert expired(suite) == [old.id]
    assert former(suite) == [young.id]
    with suite.database.read() as connection:
        kept = connection.execute(select(func.count()).select_from(changed_keys)).scalar_one()
    assert kept == keys

    undo = suite.undo(old)
    assert undo.error is not None
    assert (undo.state, undo.error.code) == (State.FAILED, "undo-expired")
    assert suite.undo(young).state == State.COMPLETED


def test_they_go_a_few_at_a_time_and_then_once_an_hour(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_CHANGES_AT_ONCE", 2)
    # The fixture's own changes are young.
    uploads = [suite.load("jobs", f"{key},Job\n") for key in range(10, 15)]
    for number, upload in enumerate(uploads):
        age(suite, upload, 2 * DAYS - number)
    clock = Clock()
    sweep = ChangeExpiry(suite.database, DAYS, clock)
    counts = []
    for _ in range(4):
        sweep.run_if_due()
        counts.append(len(expired(suite)))
    assert counts == [2, 4, 5, 5]

    later = suite.load("jobs", "20,Job\n")
    age(suite, later, DAYS + 1)
    clock.now += 3599
    sweep.run_if_due()
    assert later.id not in expired(suite)
    clock.now += 2
    sweep.run_if_due()
    assert later.id in expired(suite)


def test_many_bytes_go_one_change_at_a_time(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_BYTES_AT_ONCE", 1)
    for key in (1, 2, 3):
        age(suite, suite.load("jobs", f"{key},Job\n"), DAYS + 10 - key)
    sweep = ChangeExpiry(suite.database, DAYS)
    counts = []
    for _ in range(4):
        sweep.run_if_due()
        counts.append(len(expired(suite)))
    assert counts == [1, 2, 3, 3]
    assert former(suite) == []


def test_one_large_change_goes_a_few_parts_at_a_time(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_BYTES_AT_ONCE", 1)
    monkeypatch.setattr(expiry, "_PARTS_AT_ONCE", 2)
    upload = suite.load("jobs", "1,Job\n")
    with suite.database.write() as connection:
        row = connection.execute(select(former_rows)).one()._asdict()
        connection.execute(insert(former_rows), [{**row, "part": part} for part in range(1, 5)])
    age(suite, upload, DAYS + 1)
    counts = []
    for _ in range(4):
        # A process that died goes on where it was.
        ChangeExpiry(suite.database, DAYS).run_if_due()
        counts.append((len(former(suite)), len(expired(suite))))
    assert counts == [(3, 0), (1, 0), (0, 1), (0, 1)]


def test_a_database_that_is_away_is_asked_again_in_an_hour(suite: Suite) -> None:
    age(suite, suite.load("jobs", "1,Job\n"), DAYS + 1)
    clock = Clock()
    suite.faulty_database.refused = [DatabaseUnavailable("gone")]
    sweep = ChangeExpiry(suite.faulty_database, DAYS, clock)  # type: ignore[arg-type]
    sweep.run_if_due()
    assert expired(suite) == []
    clock.now += 3601
    sweep.run_if_due()
    assert len(expired(suite)) == 1


def test_the_longest_term_is_no_error(suite: Suite) -> None:
    ChangeExpiry(suite.database, 1e300).run_if_due()
    assert expired(suite) == []
