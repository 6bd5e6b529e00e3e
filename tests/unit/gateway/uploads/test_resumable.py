"""Uploads in parts: what has come is kept, counted for good, and accepted once."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI

from gateway.services import Services
from gateway.uploads.begun import BegunUploads
from gateway.uploads.idempotency import claimed
from gateway.uploads.sweep import sweep, sweep_parts
from muster.contracts.uploads import Upload
from muster.http.service import provided
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, BOB, CSV, bearer

ROWS = b"1,Recruiter\n2,Manager\n3,Buyer\n"
PART = {"Content-Type": "application/partial-upload"}


def begin(
    client: FlaskClient, data: bytes = b"", length: int = len(ROWS), query: str = "", **more: str
) -> Any:
    asked = {"Upload-Complete": "?0", "Upload-Length": str(length)}
    headers = {**ANA, **CSV, **asked, **{name.replace("_", "-"): more[name] for name in more}}
    path = f"/v1/uploads?table=jobs{query}"
    return client.post(path, data=data, headers=headers)


def append(client: FlaskClient, path: str, data: bytes, offset: int, complete: str = "?0") -> Any:
    said = {"Upload-Offset": str(offset), "Upload-Complete": complete}
    return client.patch(path, data=data, headers={**ANA, **PART, **said})


def uploads(stores: Stores) -> list[Upload]:
    return stores.uploads.find(owner=None, state=None, table=None, before=None, limit=100)


def of_user(stores: Stores) -> str:
    """The file that says what Ana has begun."""
    ids = (name.split(".")[0] for name in stores.files.names(-1) if name.count(".") == 1)
    [of_ana] = [each for each in ids if BegunUploads(stores.files).find(each) is None]
    return f"{of_ana}.resumable"


@pytest.fixture
def path(client: FlaskClient) -> str:
    """Where parts of an upload are sent that has just begun."""
    return str(begin(client).headers["Location"])


def test_parts_are_put_together_and_accepted(client: FlaskClient, stores: Stores) -> None:
    begun = begin(client, ROWS[:5])
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, "5")
    assert begun.headers["Upload-Limit"].startswith("max-size=1000000, max-age=86")
    path = begun.headers["Location"]
    second = append(client, path, ROWS[5:20], 5)
    assert (second.status_code, second.headers["Upload-Offset"]) == (204, "20")
    asked = client.head(path, headers=ANA)
    assert (asked.status_code, asked.headers["Upload-Offset"]) == (204, "20")
    assert (asked.headers["Upload-Complete"], asked.headers["Upload-Length"]) == (
        "?0",
        str(len(ROWS)),
    )
    assert asked.headers["Cache-Control"] == "no-store"
    assert uploads(stores) == []
    done = append(client, path, ROWS[20:], 20, "?1")
    assert (done.status_code, done.headers["Upload-Complete"]) == (202, "?1")
    [upload] = uploads(stores)
    assert done.headers["Location"] == f"/v1/uploads/{upload.id}"
    assert (upload.table, upload.size, upload.filename) == ("jobs", len(ROWS), "jobs.csv")
    assert client.get(f"{done.headers['Location']}/file", headers=ANA).data == ROWS
    left = {*stores.files.names(-1)} - {of_user(stores)}
    assert left == {f"{path.split('/')[3]}.resumable"}


def test_the_last_part_may_be_sent_again_and_makes_no_second_upload(
    client: FlaskClient, stores: Stores, path: str
) -> None:
    append(client, path, ROWS[:20], 0)
    answers = [append(client, path, data, 20, "?1") for data in (ROWS[20:], ROWS[20:], b"")]
    assert {answer.get_json()["id"] for answer in answers} == {uploads(stores)[0].id}
    assert client.head(path, headers=ANA).headers["Upload-Complete"] == "?1"
    assert append(client, path, b"x", 0).status_code == 409
    assert len(uploads(stores)) == 1


def test_an_upload_that_died_while_it_was_accepted_is_accepted_once(
    client: FlaskClient, app: OpenAPI, stores: Stores, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumable = provided(app, Services).resumable
    with monkeypatch.context() as patched:
        patched.setattr(resumable._begun, "save", die)
        append(client, path, b"", 0)
        with pytest.raises(KeyboardInterrupt):
            append(client, path, ROWS, 0, "?1")
    append(client, path, ROWS, 0)
    with monkeypatch.context() as patched:
        patched.setattr(resumable._begun, "save", die)
        with pytest.raises(KeyboardInterrupt):
            append(client, path, b"", len(ROWS), "?1")
    again = append(client, path, b"", len(ROWS), "?1")
    assert again.get_json()["id"] == uploads(stores)[0].id
    assert len(uploads(stores)) == 1


def die(*_: object) -> None:
    raise KeyboardInterrupt


def test_another_offset_is_refused_with_the_right_one(client: FlaskClient, path: str) -> None:
    append(client, path, ROWS[:20], 0)
    for offset in (0, 19, 21):
        refused = append(client, path, b"x", offset)
        assert (refused.status_code, refused.headers["Upload-Offset"]) == (409, "20")
        assert refused.get_json()["type"].endswith("mismatching-upload-offset")


def test_the_length_that_was_said_holds(client: FlaskClient, stores: Stores, path: str) -> None:
    for data, complete in ((ROWS + b"x", "?0"), (ROWS[:-1], "?1")):
        refused = append(client, path, data, 0, complete)
        assert (refused.status_code, uploads(stores)) == (400, [])
        assert refused.get_json()["type"].endswith("inconsistent-upload-length")
    assert begin(client, ROWS, length=3).status_code == 400
    assert begin(client, length=1_000_001).status_code == 413
    no_length = client.post("/v1/uploads?table=jobs", headers={**ANA, "Upload-Complete": "?0"})
    assert no_length.get_json()["errors"][0]["field"] == "Upload-Length"
    assert client.patch(path, data=b"x", headers={**ANA, **PART}).status_code == 422
    said = {"Upload-Offset": "0", "Upload-Complete": "?0"}
    assert client.patch(path, data=b"x", headers={**ANA, **CSV, **said}).status_code == 415


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("&filename=a%00.csv", {}, 422),
        ("&columns=x", {}, 422),
        ("", {"Content-Type": "application/pdf"}, 415),
        ("", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ("", {"Content-Encoding": "br"}, 415),
        ("", {"Upload-Length": "-1"}, 422),
        ("", {"Upload-Complete": "false"}, 422),
    ],
)
def test_what_can_be_refused_before_a_part_has_come_is(
    client: FlaskClient, query: str, headers: dict[str, str], status: int
) -> None:
    assert begin(client, b"", len(ROWS), query, **headers).status_code == status


def test_a_file_that_can_not_be_loaded_is_given_up(client: FlaskClient, stores: Stores) -> None:
    path = begin(client, length=8).headers["Location"]
    assert append(client, path, b"%PDF-1.4", 0, "?1").status_code == 415
    assert client.head(path, headers=ANA).status_code == 404
    assert {*stores.files.names(-1)} == {of_user(stores)}


def test_it_is_inflated_once_it_is_whole(client: FlaskClient, stores: Stores) -> None:
    packed = gzip.compress(ROWS)
    path = begin(client, packed[:9], len(packed), Content_Encoding="gzip").headers["Location"]
    assert append(client, path, packed[9:], 9, "?1").status_code == 202
    assert uploads(stores)[0].size == len(ROWS)


def test_the_same_key_begins_once(client: FlaskClient, stores: Stores) -> None:
    first = begin(client, ROWS[:5], Idempotency_Key="k")
    again = begin(client, Idempotency_Key="k")
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, "5")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    path = again.headers["Location"]
    assert path == first.headers["Location"]
    assert begin(client, query="&dry_run=true", Idempotency_Key="k").status_code == 422
    done = append(client, path, ROWS[5:], 5, "?1")
    assert "Idempotent-Replayed" not in done.headers
    assert append(client, path, b"", 5, "?1").headers["Idempotent-Replayed"] == "true"
    assert begin(client, Idempotency_Key="k").headers["Upload-Complete"] == "?1"
    key = {"Idempotency-Key": "k"}
    whole = client.post("/v1/uploads?table=jobs", data=ROWS, headers={**ANA, **CSV, **key})
    assert whole.get_json()["id"] == uploads(stores)[0].id
    assert len(uploads(stores)) == 1


def test_it_is_its_owners_alone_and_asks_for_the_permission(client: FlaskClient, path: str) -> None:
    for headers, status in ((BOB, 404), (bearer("ana", "uploads:read"), 403), ({}, 401)):
        said = {**headers, **PART, "Upload-Offset": "0", "Upload-Complete": "?0"}
        assert client.patch(path, data=b"x", headers=said).status_code == status
        assert client.head(path, headers=headers).status_code == status
        assert client.delete(path, headers=headers).status_code == status
    assert client.head("/v1/uploads/..%2f..%2fx/content", headers=ANA).status_code == 404
    assert client.head(f"/v1/uploads/{'0' * 32}/content", headers=ANA).status_code == 404


def test_one_request_at_a_time_appends(client: FlaskClient, stores: Stores, path: str) -> None:
    with claimed(stores.uploads, path.split("/")[3], "content"):
        refused = append(client, path, ROWS, 0)
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "1")
    assert append(client, path, ROWS, 0, "?1").status_code == 202


def test_it_can_be_given_up(client: FlaskClient, stores: Stores, path: str) -> None:
    append(client, path, ROWS, 0)
    assert client.delete(path, headers=ANA).status_code == 204
    assert client.head(path, headers=ANA).status_code == 404
    assert {*stores.files.names(-1)} == {of_user(stores)}


def test_it_counts_on_the_quota_from_when_it_is_begun(
    make_app: Callable[..., OpenAPI], stores: Stores
) -> None:
    client = make_app(bytes_per_user_a_day=2 * len(ROWS)).test_client()
    path = begin(client).headers["Location"]
    other = begin(client).headers["Location"]
    assert begin(client, length=1).status_code == 429
    plain = client.post("/v1/uploads?table=jobs", data=b"9,X\n", headers={**ANA, **CSV})
    assert plain.status_code == 429
    assert append(client, path, ROWS, 0, "?1").status_code == 202
    assert begin(client, length=1).status_code == 429
    client.delete(other, headers=ANA)
    assert begin(client).status_code == 201
    assert len(uploads(stores)) == 1


def test_what_is_not_finished_in_a_day_is_gone(
    client: FlaskClient, stores: Stores, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(client, path, ROWS, 0)
    assert sweep(stores, -1) + sweep_parts(stores) == 0
    monkeypatch.setattr("gateway.uploads.sweep._PARTS_SECONDS", -1.0)
    assert sweep_parts(stores) == 3
    assert append(client, path, b"", len(ROWS), "?1").status_code == 404
