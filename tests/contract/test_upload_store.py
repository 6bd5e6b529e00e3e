"""Upload records in the CSV store: accepted in order, changed by compare-and-set."""

import random
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

import pytest

from muster.contracts.uploads import (
    UNFINISHED,
    Cause,
    Email,
    EmailState,
    Failure,
    Options,
    RowCounts,
    State,
)
from muster.uploadstore import KeyTaken, StateConflict, UploadNotFound, UploadStore
from muster.weather import StoreUnavailable
from tests.contract.at_once import at_once
from tests.contract.children import MOST_STEPS, Child
from tests.contract.records import an_upload


def test_a_record_is_read_as_it_was_accepted(store: UploadStore) -> None:
    accepted = store.accept(
        an_upload(
            filename='año "1".csv',
            options=Options(mode="insert", max_rejects=3, dry_run=True, delimiter="\t"),
            idempotency_key="k-1",
            fingerprint="f" * 64,
        )
    )
    assert accepted == an_upload(
        filename='año "1".csv',
        options=Options(mode="insert", max_rejects=3, dry_run=True, delimiter="\t"),
        idempotency_key="k-1",
        fingerprint="f" * 64,
        sequence=accepted.sequence,
    )
    assert store.get("u-1") == accepted


@pytest.mark.parametrize("content", [b"", b"1,Clerk\n\x00\xff"])
def test_a_small_file_is_kept_with_its_record(store: UploadStore, content: bytes) -> None:
    upload = an_upload(size=len(content), in_record=True)
    accepted = store.accept(upload, content)
    assert store.get("u-1") == accepted
    store.accept(an_upload(id="u-2"))

    assert store.contents(["u-1"]) == {"u-1": content}
    assert store.contents(["u-2"]) == {}
    assert store.contents(["u-1", "u-2", "u-3"]) == {"u-1": content}
    changed = store.update("u-1", expect=UNFINISHED, state=State.LOADING)
    assert store.find(owner=None, state=State.LOADING, table=None, before=None, limit=9) == [
        changed
    ]
    assert store.contents(["u-1"]) == {"u-1": content}


def test_a_file_whose_key_is_taken_is_not_kept(store: UploadStore) -> None:
    store.accept(an_upload(idempotency_key="k"), b"first")
    with pytest.raises(KeyTaken):
        store.accept(an_upload(id="u-2", idempotency_key="k"), b"second")
    assert store.contents(["u-2"]) == {}


def test_every_field_that_a_loader_sets_is_read_back(store: UploadStore) -> None:
    store.accept(an_upload())
    changed = store.update(
        "u-1",
        expect=UNFINISHED,
        state=State.FAILED,
        started_at=datetime(2026, 2, 1, tzinfo=UTC),
        finished_at=datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC),
        email=Email(EmailState.REFUSED, datetime(2026, 2, 2, tzinfo=UTC), "550 5.1.1 “ana”?"),
        progress=0.25,
        rows=RowCounts(read=3, rejected=1, unprocessed=2),
        causes=(Cause("type-error", "id", 1, 7, "“x” is no integer"), Cause("q", None, 1, 8, "")),
        error=Failure("too-many-rejects", "more than 0"),
        cancel_requested=True,
        published=True,
        announced=True,
    )
    assert changed.rows.unprocessed == 2
    assert store.get("u-1") == changed


def test_a_later_record_has_a_greater_sequence(store: UploadStore) -> None:
    sequences = [store.accept(an_upload(id=f"u-{number}")).sequence for number in range(10)]
    assert sequences == sorted(set(sequences))


def test_records_accepted_at_once_have_sequences_of_their_own_in_order(
    store: UploadStore, store_url: str
) -> None:
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child("accept", store_url, prefix, "25")) for prefix in "xy"
        ]
        mine = [store.accept(an_upload(id=f"m{number}")).sequence for number in range(25)]
        theirs = [[int(line) for line in child.rest()] for child in children]
    for sequences in (mine, *theirs):
        assert sequences == sorted(sequences)
        assert len(sequences) == 25
    assert len({*mine, *(sequence for group in theirs for sequence in group)}) == 75


@pytest.mark.parametrize("seed", range(2))
def test_what_a_killed_process_accepted_is_there(
    store: UploadStore, store_url: str, seed: int
) -> None:
    with Child("accept", store_url, "u", str(MOST_STEPS)) as killed:
        accepted = killed.lines(random.Random(seed).randrange(1, 60))
        accepted += killed.kill()
    for number, sequence in enumerate(accepted):
        assert store.get(f"u{number}").sequence == int(sequence)
    assert len(store.unpublished(limit=2 * MOST_STEPS)) in {len(accepted), len(accepted) + 1}
    assert store.accept(an_upload(id="next")).sequence > int(accepted[-1])


def test_a_killed_process_leaves_the_record_as_it_was_before_or_after_a_change(
    store: UploadStore, store_url: str
) -> None:
    store.accept(an_upload())
    with Child("change", store_url, "u-1") as killed:
        changes = killed.lines(20) + killed.kill()
    upload = store.get("u-1")
    assert upload.version in {len(changes), len(changes) + 1}
    assert upload.warnings_total == upload.version - 1


def test_a_change_raises_the_version_by_one(store: UploadStore) -> None:
    accepted = store.accept(an_upload())
    changed = store.update("u-1", expect={State.QUEUED}, progress=0.5)
    assert changed.version == accepted.version + 1
    assert changed.sequence == accepted.sequence


def test_a_change_of_a_record_in_another_state_is_a_conflict(store: UploadStore) -> None:
    store.accept(an_upload())
    cancelled = store.update("u-1", expect={State.QUEUED}, state=State.CANCELLED)
    with pytest.raises(StateConflict) as caught:
        store.update("u-1", expect=UNFINISHED, state=State.VALIDATING)
    assert caught.value.upload == cancelled
    assert store.get("u-1") == cancelled


def test_of_changes_at_once_from_the_same_state_one_wins(store: UploadStore) -> None:
    store.accept(an_upload())

    def start(name: str) -> str | None:
        note = Failure(name, "")
        try:
            store.update("u-1", expect={State.QUEUED}, state=State.VALIDATING, error=note)
        except StateConflict:
            return None
        return name

    outcomes = at_once([partial(start, f"t-{number}") for number in range(8)])
    [winner] = filter(None, outcomes)
    assert store.get("u-1").error == Failure(winner, "")


def test_no_change_made_at_once_with_others_is_lost(store: UploadStore) -> None:
    store.accept(an_upload())

    def change() -> None:
        for _ in range(10):
            store.update("u-1", expect={State.QUEUED}, progress=0.5)

    at_once([change] * 4)
    assert store.get("u-1").version == 40


def test_an_absent_record_is_not_found(store: UploadStore) -> None:
    with pytest.raises(UploadNotFound):
        store.get("u-1")
    with pytest.raises(UploadNotFound):
        store.update("u-1", expect=UNFINISHED, progress=1.0)


def test_a_store_that_answers_passes_its_check(store: UploadStore) -> None:
    store.check()


def test_a_store_that_does_not_answer_is_unavailable(unreachable_store: UploadStore) -> None:
    with pytest.raises(StoreUnavailable):
        unreachable_store.accept(an_upload())
    with pytest.raises(StoreUnavailable):
        unreachable_store.get("u-1")
    with pytest.raises(StoreUnavailable):
        unreachable_store.update("u-1", expect=UNFINISHED, progress=1.0)
    with pytest.raises(StoreUnavailable):
        unreachable_store.unpublished(1)
