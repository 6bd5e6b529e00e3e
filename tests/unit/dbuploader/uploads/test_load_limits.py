"""What one upload may take: its rejects are bounded, and so is its load."""

from dataclasses import replace

import pytest

from dbuploader.uploads.progress import Progress
from muster.contracts.uploads import RowCounts, State, Upload
from tests.unit.dbuploader.suite import Suite

HIRE = "{},Ana,2021-07-27T16:02:08Z,1,2\n"
LONG = "x" * 1000 + "\n"


def keep_at_most(suite: Suite, reject_bytes: int) -> None:
    suite.limits = replace(suite.limits, reject_bytes=reject_bytes)


def failed_for_its_rejects(upload: Upload) -> bool:
    assert upload.error is not None
    assert "MUSTER_MAX_REJECTS_BYTES" in upload.error.detail
    return (upload.state, upload.error.code) == (State.FAILED, "too-many-rejects")


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"max_rejects": 2}])
def test_rejects_beyond_what_is_kept_end_the_load(suite: Suite, options: dict[str, object]) -> None:
    keep_at_most(suite, 10_000)

    upload = suite.load("hired_employees", LONG * 100, header="absent", **options)

    assert failed_for_its_rejects(upload)
    rejects = suite.rejects(upload.id)
    assert [reject.row for reject in rejects] == list(range(1, len(rejects) + 1))
    with suite.stores.files.open(upload.rejects_name) as stored:
        assert 7000 < len(stored.read()) < 10_200
    assert upload.rows == RowCounts(read=len(rejects), rejected=len(rejects))
    assert [cause.rows for cause in upload.causes] == [len(rejects)]


def test_reading_ends_where_no_more_rejects_are_kept(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_at_most(suite, 10_000)
    upload_id = suite.accept("hired_employees", LONG * 2500, header="absent")
    # After each block of 1 MiB that is read to its end.
    blocks: list[float] = []

    def reach(_progress: Progress, share: float) -> None:
        blocks.append(share)

    monkeypatch.setattr(Progress, "reach", reach)

    suite.processor().process_up_to(upload_id)

    assert failed_for_its_rejects(suite.store.get(upload_id))
    assert blocks == []


def test_what_was_read_before_the_last_reject_that_is_kept_is_counted(suite: Suite) -> None:
    keep_at_most(suite, 1000)
    good = "".join(HIRE.format(number) for number in range(1, 11))

    upload = suite.load("hired_employees", good + "x\n" * 100 + HIRE.format(11))

    assert failed_for_its_rejects(upload)
    kept = len(suite.rejects(upload.id))
    assert 0 < kept < 100
    assert upload.rows == RowCounts(read=10 + kept, rejected=kept, unprocessed=10)
    assert suite.rows("hired_employees") == []


def test_as_many_rejects_as_are_kept_load_the_rest(suite: Suite) -> None:
    upload = suite.load("jobs", "4,Baker\nx,Cook\n")
    with suite.stores.files.open(upload.rejects_name) as file:
        file.readline()
        kept = len(file.read())

    for spare, state in ((0, State.COMPLETED_WITH_REJECTS), (-1, State.FAILED)):
        keep_at_most(suite, kept + spare)
        assert suite.load("jobs", "4,Baker\nx,Cook\n").state == state


def test_those_behind_it_load(suite: Suite) -> None:
    keep_at_most(suite, 1000)
    bomb = suite.accept("jobs", LONG * 100, header="absent")
    behind = suite.accept("jobs", "9,Baker\n")

    suite.processor().process_up_to(behind)

    assert suite.store.get(bomb).state == State.FAILED
    assert suite.store.get(behind).state == State.COMPLETED
