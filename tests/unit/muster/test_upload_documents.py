"""The upload record as the document that a store keeps."""

import json
from datetime import UTC, datetime, timedelta, timezone

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
    Upload,
    now,
)

ACCEPTED = Upload(
    id="u-1",
    table="jobs",
    filename="jobs.csv",
    size=12,
    sha256="0" * 64,
    owner="user-1",
    submitted_by="ana@example.com",
    submitted_at=datetime(2026, 1, 31, 12, 30, 45, 123456, UTC),
    request_id="r-1",
    traceparent="00-1-2-01",
)
NOTIFIED_AT = datetime(2026, 1, 31, 12, 30, 48, tzinfo=UTC)
FINISHED = Upload(
    **{
        **ACCEPTED.__dict__,
        "options": Options(mode="insert", max_rejects=0, dry_run=True, encoding="cp1252"),
        "state": State.FAILED,
        "started_at": datetime(2026, 1, 31, 12, 30, 46, tzinfo=UTC),
        "finished_at": datetime(2026, 1, 31, 12, 30, 47, tzinfo=UTC),
        "email": Email(EmailState.REFUSED, NOTIFIED_AT, "550 no such user"),
        "progress": 1.0,
        "rows": RowCounts(read=3, rejected=1, unprocessed=2),
        "causes": (Cause("type-error", "id", 1, 7, "“x” is no integer"),),
        "error": Failure("too-many-rejects", "more than 0"),
        "cancel_requested": True,
        "published": True,
        "announced": True,
        "sequence": 7,
        "version": 4,
    }
)


@pytest.mark.parametrize("upload", [ACCEPTED, FINISHED])
def test_a_record_is_read_from_its_document_as_it_was(upload: Upload) -> None:
    assert Upload.from_document(json.loads(json.dumps(upload.to_document()))) == upload


def test_a_record_kept_before_there_was_email_is_read() -> None:
    document = ACCEPTED.to_document()
    del document["email"]
    assert Upload.from_document(document | {"notified_at": None}) == ACCEPTED
    notified = Upload.from_document(document | {"notified_at": NOTIFIED_AT.isoformat()})
    assert notified.email == Email(EmailState.SENT, NOTIFIED_AT)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert Upload.from_document(ACCEPTED.to_document() | {"colour": "blue"}) == ACCEPTED


def test_a_time_of_another_zone_stays_the_same_moment() -> None:
    local = datetime(2026, 1, 31, 7, 0, tzinfo=timezone(timedelta(hours=-5)))
    document = Upload(**{**ACCEPTED.__dict__, "submitted_at": local}).to_document()
    assert Upload.from_document(document).submitted_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_as_accepted_an_upload_has_nothing_of_its_loading() -> None:
    again = FINISHED.as_accepted()
    assert again.state == State.QUEUED
    assert (again.rows, again.causes, again.error) == (RowCounts(), (), None)
    assert (again.started_at, again.finished_at, again.progress) == (None, None, 0.0)
    assert again.email is None
    assert (again.id, again.options) == (FINISHED.id, FINISHED.options)


def test_a_state_is_final_or_unfinished() -> None:
    assert {state for state in State if not state.is_final} == UNFINISHED
    assert [state.value for state in State if not state.is_final] == [
        "queued",
        "validating",
        "loading",
    ]


def test_the_rejects_are_named_after_the_upload() -> None:
    assert ACCEPTED.rejects_name == "u-1.rejects"


def test_now_is_in_utc() -> None:
    assert now().utcoffset() == timedelta(0)
