"""Erasures: accepted like uploads, begun by dbuploader, and otherwise left to the loader."""

import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import Upload
from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import BOB, FakeBroker, bearer

EVA = bearer("eva", "rows:erase", "uploads:read")
URL = "/v1/tables/hired_employees/rows/7"
CHECK, ERASE = f"GET {URL}/erasure", f"PUT {URL}/erasure"
REFERRED = {"detail": "hired_employees 7 refer to jobs 1: change these first."}


def erase(client: FlaskClient, url: str = URL) -> TestResponse:
    return client.delete(url, headers=EVA)


def records(stores: Stores) -> list[Upload]:
    return stores.uploads.unfinished(0, 9)


def test_it_is_an_upload_without_a_file(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores, broker: FakeBroker
) -> None:
    behind.status = 204
    answer = erase(client_with_behind)
    [upload] = records(stores)
    assert answer.status_code == 200
    assert answer.headers["Location"] == f"/v1/uploads/{upload.id}"
    assert answer.json is not None
    assert (answer.json["table"], answer.json["erases"]) == ("hired_employees", 7)
    assert (upload.kind, upload.erases, upload.size) == ("erasure", 7, 0)
    assert (upload.owner, upload.submitted_by) == ("eva", "eva@example.com")
    assert [UploadAccepted.from_body(body).upload_id for _, body, _ in broker.published] == [
        upload.id
    ]
    [_, (verb, path, headers, body)] = behind.asked
    assert f"{verb} {path}" == ERASE
    assert headers["Authorization"] == EVA["Authorization"]
    assert json.loads(body) == {"upload": upload.id, "sequence": upload.sequence}


def test_its_author_sees_it_and_others_do_not(
    client_with_behind: FlaskClient, behind: Behind
) -> None:
    behind.status = 204
    location = erase(client_with_behind).headers["Location"]
    assert client_with_behind.get(location, headers=EVA).status_code == 200
    assert client_with_behind.get(location, headers=BOB).status_code == 404
    assert client_with_behind.get(f"{location}/file", headers=EVA).status_code == 404


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "not-found"), (409, "row-referred"), (500, "unavailable")]
)
def test_what_cannot_be_erased_is_refused_before_it_is_accepted(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores, status: int, kind: str
) -> None:
    behind.answers[CHECK] = status, REFERRED
    answer = erase(client_with_behind)
    assert answer.status_code == (503 if status == 500 else status)
    assert answer.json is not None
    assert answer.json["type"].endswith(f"#{kind}")
    assert (answer.json["detail"] == REFERRED["detail"]) is (status != 500)
    assert records(stores) == []


def test_with_dbuploader_away_nothing_is_accepted(client: FlaskClient, stores: Stores) -> None:
    assert erase(client).status_code == 503
    assert records(stores) == []


@pytest.mark.parametrize("status", [500, 503])
def test_what_dbuploader_cannot_do_now_is_left_to_the_loader(
    client_with_behind: FlaskClient,
    behind: Behind,
    stores: Stores,
    broker: FakeBroker,
    status: int,
) -> None:
    behind.answers = {CHECK: (204, None), ERASE: (status, {})}
    answer = erase(client_with_behind)
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    [upload] = records(stores)
    assert not upload.cancel_requested


def test_one_that_is_refused_at_the_last_moment_is_cancelled(
    client_with_behind: FlaskClient, behind: Behind, stores: Stores
) -> None:
    behind.answers = {CHECK: (204, None), ERASE: (409, REFERRED)}
    answer = erase(client_with_behind)
    assert answer.status_code == 409
    [upload] = records(stores)
    assert upload.cancel_requested


@pytest.mark.parametrize(
    ("url", "status"), [(URL.replace("7", "x"), 422), (URL.replace("hired_", "fired_"), 404)]
)
def test_what_is_no_row_is_refused(client: FlaskClient, url: str, status: int) -> None:
    assert erase(client, url).status_code == status


def test_it_cannot_be_cancelled(client_with_behind: FlaskClient, behind: Behind) -> None:
    behind.status = 204
    location = erase(client_with_behind).headers["Location"]
    mine = bearer("eva", "uploads:write")
    answer = client_with_behind.delete(location, headers=mine)
    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["type"].endswith("#not-cancellable")
