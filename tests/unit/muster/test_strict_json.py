"""Messages and records, whatever they are: read, or refused by the named exception and no other."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import bson
import pytest
from bson import Decimal128, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from muster.backends.mongodb import LENIENT
from muster.contracts.messages import UnreadableMessage, UploadAccepted, UploadFinished
from muster.contracts.upload_document import represent
from muster.contracts.uploads import Options, RowCounts, UnreadableRecord, Upload, record_format
from tests.unit.muster.test_upload_documents import ACCEPTED, FINISHED

DEEP = 100_000
TEXTS = st.text(st.characters())  # halves of surrogates, too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"7",
    b"\xff",
    b"[" * DEEP,
    b'{"version": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    b'{"version": 1' + b"0" * 5000 + b"}",
    b'{"version": true}',
    b'{"version": 2}',
    json.dumps({"version": 1, "upload_id": "\ud800"}).encode(),
    json.dumps({"version": 1}).encode("utf-16"),
]


def read_message(body: bytes) -> None:
    UploadAccepted.from_body(body)


def read_record(body: bytes) -> None:
    Upload.from_json(body)


READERS = [(read_message, UnreadableMessage), (read_record, UnreadableRecord)]


@pytest.mark.parametrize(("read", "refusal"), READERS)
@pytest.mark.parametrize("body", HOSTILE)
def test_what_cannot_be_read_is_refused_with_a_reason(
    read: Callable[[bytes], None], refusal: type[Exception], body: bytes
) -> None:
    with pytest.raises(refusal) as caught:
        read(body)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused(body: bytes) -> None:
    for read, refusal in READERS:
        with pytest.raises(refusal):
            read(body)


@pytest.mark.parametrize("field", ["upload_id", "table", "submitted_by"])
def test_half_a_surrogate_in_a_message_is_refused(field: str) -> None:
    body = json.loads(UploadAccepted("u", "jobs", "ana", "now").to_body())
    with pytest.raises(UnreadableMessage, match=r"upload\.accepted"):
        UploadAccepted.from_body(json.dumps(body | {field: "a\ud800"}).encode())


@given(VALUES)
def test_a_message_with_a_field_of_another_version_is_read(value: Any) -> None:
    body = json.loads(UploadFinished("u", "jobs", "failed", "ana", "now").to_body())
    text = json.dumps(body | {"later": value}).encode()
    if re.search(rb"\\ud[89a-f]", text):  # half a surrogate, or both of them
        return
    assert UploadFinished.from_body(text) == UploadFinished("u", "jobs", "failed", "ana", "now")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container within `value`, and each key or index of it."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@st.composite
def changed_documents(draw: st.DrawFn) -> dict[str, Any]:
    """The document of an upload with something else in some places."""
    document = deepcopy(draw(st.sampled_from([ACCEPTED, FINISHED])).to_document())
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(list(places(document))))
        if isinstance(container, dict) and draw(st.booleans()):
            del container[key]
            container[draw(TEXTS)] = draw(VALUES)
        else:
            container[key] = draw(VALUES)
    return document


@given(changed_documents())
def test_a_changed_record_is_read_and_can_be_shown_or_is_refused(document: dict[str, Any]) -> None:
    try:
        upload = Upload.from_document(document)
    except UnreadableRecord as error:
        refused = error.reason
    else:
        refused = "-"
        assert Upload.from_document(upload.to_document()) == upload
        assert json.dumps(represent(upload, may_name=bool)).encode()
    assert refused.isprintable()
    assert 0 < len(refused) < 400


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": "undone"}, "state: .*'undone'"),
        ({"state": None}, "state: "),
        ({"submitted_at": "yesterday"}, "submitted_at: "),
        ({"submitted_at": "2026-01-31T12:30:45"}, "submitted_at: .*zone"),
        ({"submitted_at": "0001-01-01T00:00:00+14:00"}, "submitted_at: "),
        ({"size": "12"}, "size: "),
        ({"size": True}, "size: "),
        ({"progress": 7.5}, "progress: "),
        ({"progress": float("nan")}, "progress: "),
        ({"rows": [1]}, "rows: "),
        ({"rows": {"read": "3"}}, "rows.read: "),
        ({"options": {"mode": "replace"}}, "options.mode: .*'replace'"),
        ({"causes": [{"column": "id"}]}, "causes.0.code: "),
        ({"email": {"state": "sent"}}, "email.at: "),
        ({"filename": "\ud800"}, "Invalid JSON"),
        ({"owner": object()}, "TypeError"),
    ],
)
def test_a_reason_names_the_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnreadableRecord, match=says):
        Upload.from_document(ACCEPTED.to_document() | changes)


def as_mongodb_gives_it(stored: bytes) -> Any:
    options: Any = LENIENT
    return bson.decode(stored, options)


@pytest.mark.parametrize("value", [DatetimeMS(2**60), ObjectId(), Decimal128("12"), MinKey()])
def test_a_value_of_mongodb_that_json_has_not_is_refused(value: Any) -> None:
    stored = bson.encode(ACCEPTED.to_document() | {"sha256": value})
    with pytest.raises(UnreadableRecord):
        Upload.from_document(as_mongodb_gives_it(stored))


def test_bytes_that_are_no_text_are_refused_and_not_replaced() -> None:
    stored = bson.encode(ACCEPTED.to_document()).replace(b"jobs.csv", b"jo\xffs.csv")
    with pytest.raises(UnreadableRecord):
        Upload.from_document(as_mongodb_gives_it(stored))


def test_a_reason_shows_nothing_of_a_person() -> None:
    with pytest.raises(UnreadableRecord) as caught:
        Upload.from_document(ACCEPTED.to_document() | {"submitted_by": ["ana@example.com"]})
    assert "ana" not in f"{caught.value}{caught.value!r}{caught.value.__cause__}"


def test_an_unreadable_record_says_whose_it_is() -> None:
    with pytest.raises(UnreadableRecord) as caught:
        Upload.from_document(ACCEPTED.to_document() | {"state": "undone"})
    assert (caught.value.upload_id, caught.value.owner) == ("u-1", "user-1")


def test_fields_of_a_later_version_are_passed_over_at_every_level() -> None:
    later = {"colour": {"of": ["the", "sky"]}}
    document = FINISHED.to_document() | later
    for name in ("options", "rows", "error", "email"):
        document[name] = document[name] | later
    document["causes"] = [cause | later for cause in document["causes"]]
    document["warnings"] = [{"code": "preamble", "line": 1, "message": ""} | later]
    upload = Upload.from_document(document)
    assert (upload.options, upload.rows, upload.causes) == (
        FINISHED.options,
        FINISHED.rows,
        FINISHED.causes,
    )
    assert (upload.error, upload.email) == (FINISHED.error, FINISHED.email)
    assert [warning.code for warning in upload.warnings] == ["preamble"]


def test_fields_that_are_missing_have_their_defaults_at_every_level() -> None:
    document = FINISHED.to_document()
    for name in ("progress", "announced", "warnings", "warnings_total"):
        del document[name]
    document |= {
        "options": {"mode": "insert"},
        "rows": {"read": 1},
        "causes": [{"code": "type-error"}],
        "error": {"code": "empty-file"},
    }
    upload = Upload.from_document(document)
    assert (upload.progress, upload.announced, upload.warnings_total) == (0.0, False, 0)
    assert (upload.options, upload.rows) == (Options(mode="insert"), RowCounts(read=1))
    assert (upload.causes[0].column, upload.causes[0].rows) == (None, 0)
    assert upload.error is not None
    assert upload.error.detail == ""


def test_the_name_of_the_record_format_is_the_same_in_each_process() -> None:
    assert record_format() == record_format()
    assert record_format().isalnum()
