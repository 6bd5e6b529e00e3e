"""The messages between the services, as bytes and back."""

import json
from typing import Any

import pytest

from muster.contracts.messages import UnreadableMessage, UploadAccepted, UploadFinished

ACCEPTED = UploadAccepted("u-1", "jobs", "añá@example.com", "2026-01-31T12:30:45+00:00")
FINISHED = UploadFinished(
    "u-1", "jobs", "completed", "ana@example.com", "2026-01-31T12:30:46+00:00"
)


def body_of(**fields: Any) -> bytes:
    return json.dumps({**json.loads(ACCEPTED.to_body()), **fields}).encode()


@pytest.mark.parametrize("message", [ACCEPTED, FINISHED])
def test_a_message_is_read_as_it_was_written(message: UploadAccepted | UploadFinished) -> None:
    assert type(message).from_body(message.to_body()) == message


def test_a_message_is_json_with_its_version() -> None:
    assert json.loads(ACCEPTED.to_body()) == {
        "version": 1,
        "upload_id": "u-1",
        "table": "jobs",
        "submitted_by": "añá@example.com",
        "submitted_at": "2026-01-31T12:30:45+00:00",
    }


def test_fields_that_a_reader_does_not_know_are_ignored() -> None:
    assert UploadAccepted.from_body(body_of(colour="red", nested={"a": [1]})) == ACCEPTED


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_a_version_that_a_reader_does_not_know_is_refused(version: object) -> None:
    with pytest.raises(UnreadableMessage, match="version"):
        UploadAccepted.from_body(body_of(version=version))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"version": 1}',
        body_of(upload_id=None),
        body_of(upload_id=5),
        body_of(table=["jobs"]),
        FINISHED.to_body(),
    ],
)
def test_what_is_no_such_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableMessage, match=r"upload\.accepted"):
        UploadAccepted.from_body(body)
