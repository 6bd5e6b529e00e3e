"""POST /v1/uploads: what is accepted, and what a 202 says and does."""

import errno
import json
from pathlib import Path
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from muster.contracts.tables import tables
from muster.http.service import Background
from muster.stores import Stores
from muster.weather import StoreUnavailable
from tests.unit.gateway.fakes import ANA, CSV, FakeBroker, stored_files
from tests.waiting import eventually

ROWS = b"1,Recruiter\n2,Manager\n"


def test_an_upload_is_answered_with_where_it_is(client: FlaskClient) -> None:
    answer = client.post("/v1/uploads?filename=jobs.csv", data=ROWS, headers={**ANA, **CSV})
    assert answer.status_code == 202
    upload = answer.get_json()
    assert answer.headers["Location"] == upload["links"]["self"] == f"/v1/uploads/{upload['id']}"
    assert (upload["table"], upload["filename"], upload["size"]) == ("jobs", "jobs.csv", len(ROWS))
    assert (upload["state"], upload["submitted_by"]) == ("queued", "ana@example.com")
    assert upload["submitted_at"].endswith("Z")


def test_an_accepted_upload_is_stored_and_published_with_its_trace(
    client: FlaskClient, stores: Stores, broker: FakeBroker
) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    trace = {"X-Request-Id": "request-1", "traceparent": traceparent}
    answer = client.post(
        "/v1/uploads?filename=jobs.csv", data=ROWS, headers={**ANA, **CSV, **trace}
    )
    upload = stores.uploads.get(answer.get_json()["id"])
    with stores.open_file(upload) as file:
        assert file.read() == ROWS
    assert (upload.owner, upload.request_id) == ("ana", "request-1")
    # A moment later, together with others, beside the requests.
    stop = Background.begin(client.application)
    eventually(lambda: stores.uploads.get(upload.id).published)
    stop.set()
    ((routing_key, body, headers),) = broker.published
    assert routing_key == "upload.accepted"
    assert json.loads(body)["upload_id"] == upload.id
    assert headers == trace


def test_an_upload_is_accepted_while_the_broker_is_away(
    client: FlaskClient, stores: Stores, broker: FakeBroker
) -> None:
    broker.down = True
    answer = client.post("/v1/uploads?filename=jobs.csv", data=ROWS, headers={**ANA, **CSV})
    assert answer.status_code == 202
    assert [upload.id for upload in stores.uploads.unpublished(10)] == [answer.get_json()["id"]]


def test_whatever_keeps_its_message_back_an_accepted_upload_is_answered_so(
    client: FlaskClient, stores: Stores, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowded(*_message: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(broker, "publish", crowded)
    answer = client.post("/v1/uploads?filename=jobs.csv", data=ROWS, headers={**ANA, **CSV})
    assert answer.status_code == 202
    assert [upload.id for upload in stores.uploads.unpublished(10)] == [answer.get_json()["id"]]


def test_an_upload_that_can_not_be_waited_for_is_accepted_all_the_same(
    client: FlaskClient, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_upload: object) -> NoReturn:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(stores.uploads, "wait_for_change", away)
    headers = {**ANA, **CSV, "Prefer": "wait=30"}
    answer = client.post("/v1/uploads?filename=jobs.csv", data=ROWS, headers=headers)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_a_broker_that_is_away_is_not_waited_for_by_every_upload(
    client: FlaskClient, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.uploads.outbox._REST_SECONDS", 600)
    broker.down = True
    for _ in range(3):
        client.post("/v1/uploads?filename=jobs.csv", data=ROWS, headers={**ANA, **CSV})
    assert broker.attempts == 1


@pytest.mark.parametrize(
    "name",
    [
        "hired_employees.csv",
        "HIRED_Employees.CSV",
        "some/dir/hired_employees.csv",
        "C:\\data\\hired_employees.csv",
        "hired_employees.txt",
        "hired_employees.rejects.csv",
        "hired_employees",
    ],
)
def test_the_table_is_the_one_the_file_is_called_after(client: FlaskClient, name: str) -> None:
    answer = client.post(
        "/v1/uploads", query_string={"filename": name}, data=ROWS, headers={**ANA, **CSV}
    )
    assert answer.get_json()["table"] == "hired_employees"
    assert "/" not in answer.get_json()["filename"]
    assert "\\" not in answer.get_json()["filename"]


def test_the_option_names_the_table_whatever_the_file_is_called(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs&filename=new.csv", data=ROWS, headers={**ANA, **CSV}
    )
    assert (answer.get_json()["table"], answer.get_json()["filename"]) == ("jobs", "new.csv")


def test_a_file_without_a_name_is_called_after_its_table(client: FlaskClient) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=ROWS, headers={**ANA, **CSV})
    assert answer.get_json()["filename"] == "jobs.csv"


@pytest.mark.parametrize("query", ["", "?filename=other.csv", "?table=nobody", "?table="])
def test_a_file_for_no_table_is_refused_with_the_tables_there_are(
    client: FlaskClient, tmp_path: Path, query: str
) -> None:
    answer = client.post(f"/v1/uploads{query}", data=ROWS, headers={**ANA, **CSV})
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["errors"][0]["field"] == "table"
    assert ", ".join(tables()) in answer.get_json()["detail"]
    assert stored_files(tmp_path) == []


def test_the_options_are_kept_as_the_loader_takes_them(client: FlaskClient) -> None:
    options = {
        "mode": "insert",
        "max_rejects": "0",
        "dry_run": "true",
        "header": "absent",
        "delimiter": "\t",
        "encoding": "cp1252",
        "columns": "Nr.:id,Remarks:",
        "dates": "dmy",
        "expect_rows": "2",
        "max_inserted": "2",
        "max_updated": "5%",
        "sheet": "Jobs",
    }
    answer = client.post(
        "/v1/uploads",
        query_string={"table": "jobs", **options},
        data=ROWS,
        headers={**ANA, **CSV},
    )
    assert answer.get_json()["options"] == {
        **options,
        "max_rejects": 0,
        "dry_run": True,
        "delimiter": "tab",
        "expect_rows": 2,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "replace"),
        ("max_rejects", "-1"),
        ("max_rejects", "1_000"),
        ("max_rejects", "1.0"),
        ("dry_run", "perhaps"),
        ("header", "yes"),
        ("delimiter", ":"),
        ("columns", "Nr:number"),
        ("columns", "Nr:id,Nr:job"),
        ("columns", ":id"),
        ("columns", '"Nr:id'),
        ("dates", "ymd"),
        ("encoding", "klingon"),
        ("encoding", "base64"),
        ("encoding", "utf-8\0"),
        ("encoding", "utf-7"),
        ("encoding", "unicode_escape"),
        ("encoding", "idna"),
        ("encoding", "punycode"),
        ("encoding", ""),
    ],
)
def test_a_wrong_option_is_named(client: FlaskClient, name: str, value: str) -> None:
    answer = client.post(
        "/v1/uploads",
        query_string={"table": "jobs", name: value},
        data=ROWS,
        headers={**ANA, **CSV},
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [name]


def test_an_unknown_encoding_is_told_those_there_are(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?table=jobs&encoding=klingon", data=ROWS, headers={**ANA, **CSV}
    )
    (error,) = answer.get_json()["errors"]
    for name in ("klingon", "auto", "utf-8", "windows-1252", "iso-8859-15", "shift_jis", "gb18030"):
        assert name in error["message"]


@pytest.mark.parametrize(
    ("written", "kept"), [("pipe", "pipe"), ("|", "pipe"), (r"\t", "tab"), (";", ";"), (",", ",")]
)
def test_delimiters_may_be_written_as_they_are(
    client: FlaskClient, written: str, kept: str
) -> None:
    answer = client.post(
        "/v1/uploads",
        query_string={"table": "jobs", "delimiter": written},
        data=ROWS,
        headers={**ANA, **CSV},
    )
    assert answer.get_json()["options"]["delimiter"] == kept


def test_an_unknown_parameter_is_refused_naming_the_known_ones(client: FlaskClient) -> None:
    answer = client.post("/v1/uploads?table=jobs&dryrun=1", data=ROWS, headers={**ANA, **CSV})
    assert answer.status_code == 422
    (error,) = answer.get_json()["errors"]
    assert error["field"] == "dryrun"
    assert "dry_run" in error["message"]


@pytest.mark.parametrize("name", ["a\nb/jobs\r.csv", "jobs\x00.csv", "x" * 256 + "jobs.csv"])
def test_a_file_name_that_cannot_be_kept_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.post(
        "/v1/uploads",
        query_string={"filename": name, "table": "jobs"},
        data=ROWS,
        headers={**ANA, **CSV},
    )
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "filename"


def test_an_empty_file_is_accepted_for_the_loader_to_judge(client: FlaskClient) -> None:
    answer = client.post("/v1/uploads?table=jobs", data=b"", headers={**ANA, **CSV})
    assert (answer.status_code, answer.get_json()["size"]) == (202, 0)


def test_a_later_upload_has_a_later_sequence(client: FlaskClient, stores: Stores) -> None:
    ids = [
        client.post("/v1/uploads?table=jobs", data=ROWS, headers={**ANA, **CSV}).get_json()["id"]
        for _ in range(3)
    ]
    sequences = [stores.uploads.get(upload_id).sequence for upload_id in ids]
    assert sequences == sorted(set(sequences))
