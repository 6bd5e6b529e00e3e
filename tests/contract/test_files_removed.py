"""Records whose files are no longer kept: which are due, which an erasure removed, what is left."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.uploads.sweep import sweep
from muster.contracts.uploads import UNFINISHED, FilesRemoved, State, Upload
from muster.filestore import FileNotStored
from muster.stores import Stores
from muster.uploadstore import UploadStore
from tests.contract.records import an_upload

THEN = datetime(2026, 2, 1, tzinfo=UTC)
FINAL = frozenset(State) - UNFINISHED
EXPIRED = FilesRemoved("expired", THEN)


def finish(store: UploadStore, upload_id: str, at: datetime | None) -> Upload:
    store.accept(an_upload(id=upload_id, in_record=True), b"1,Clerk\n")
    if at is None:
        return store.update(upload_id, expect=UNFINISHED, state=State.LOADING)
    return store.update(upload_id, expect=UNFINISHED, state=State.FAILED, finished_at=at)


def ids(uploads: list[Upload]) -> list[str]:
    return [upload.id for upload in uploads]


def test_those_that_ended_before_then_and_have_their_files_expire_oldest_first(
    store: UploadStore,
) -> None:
    ends = {"newest": -1, "oldest": -900, "working": None, "ends then": 0, "older": -30}
    for upload_id, days in ends.items():
        finish(store, upload_id, None if days is None else THEN + timedelta(days))
    assert ids(store.expiring(THEN, 9)) == ["oldest", "older", "newest"]
    assert ids(store.expiring(THEN, 2)) == ["oldest", "older"]
    store.drop_contents({"oldest": {"files_removed": EXPIRED}}, expect=FINAL)
    assert ids(store.expiring(THEN, 9)) == ["older", "newest"]


def test_parts_of_a_second_are_told_apart(store: UploadStore) -> None:
    finish(store, "before", THEN)
    finish(store, "after", THEN + timedelta(microseconds=1))
    assert ids(store.expiring(THEN + timedelta(microseconds=1), 9)) == ["before"]


def test_the_file_that_is_kept_with_a_record_goes_in_the_same_step(store: UploadStore) -> None:
    finish(store, "u-1", THEN)
    finish(store, "u-2", None)
    changed = store.drop_contents(
        {upload_id: {"files_removed": EXPIRED} for upload_id in ("u-1", "u-2", "gone")},
        expect=FINAL,
    )
    assert [upload.files_removed for upload in changed] == [EXPIRED, None]
    assert store.get("u-1").files_removed == EXPIRED
    assert store.contents(["u-1", "u-2"]) == {"u-2": b"1,Clerk\n"}


def test_records_are_found_by_the_erasure_that_removed_their_files(store: UploadStore) -> None:
    for number in range(5):
        finish(store, f"u-{number}", THEN)
    by = {"u-0": "e-1", "u-1": "e-2", "u-2": "e-1", "u-4": "e-1"}
    store.drop_contents(
        {
            upload_id: {"files_removed": FilesRemoved("erased", THEN, erasure)}
            for upload_id, erasure in by.items()
        },
        expect=FINAL,
    )
    assert ids(store.erased_by("e-1", 0, 9)) == ["u-0", "u-2", "u-4"]
    assert ids(store.erased_by("e-1", store.get("u-0").sequence, 1)) == ["u-2"]
    assert store.erased_by("e-3", 0, 9) == []


def test_a_sweep_removes_what_was_left_of_removed_files(stores: Stores) -> None:
    upload = stores.uploads.accept(an_upload())
    for name in (upload.id, upload.rejects_name):
        with stores.files.write(name) as file:
            file.write(b"text")
    stores.uploads.update(upload.id, expect=UNFINISHED, state=State.COMPLETED, finished_at=THEN)
    assert sweep(stores, older_than=-1) == 0
    stores.uploads.drop_contents({upload.id: {"files_removed": EXPIRED}}, expect=FINAL)
    assert sweep(stores, older_than=-1) == 2
    with pytest.raises(FileNotStored):
        stores.files.open(upload.id)
