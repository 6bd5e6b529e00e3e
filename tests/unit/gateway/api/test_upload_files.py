"""GET /v1/uploads/{id}/file."""

import gzip
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

from muster.contracts.uploads import State
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV

ROWS = b"1,Recruiter\r\n2,Manager"


def upload(client: FlaskClient, name: str = "jobs.csv") -> Any:
    answer = client.post(
        "/v1/uploads",
        query_string={"filename": name, "table": "jobs"},
        data=ROWS,
        headers={**ANA, **CSV},
    )
    return answer.get_json()


def get(client: FlaskClient, document: Any, **headers: str) -> Any:
    return client.get(document["links"]["file"], headers={**ANA, **headers}, buffered=True)


def test_the_file_comes_back_as_it_was(client: FlaskClient) -> None:
    document = upload(client)
    answer = get(client, document)
    assert (answer.status_code, answer.data) == (200, ROWS)
    assert answer.headers["Content-Length"] == str(len(ROWS))
    assert answer.headers["ETag"] == f'"{document["sha256"]}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_came_as_gzip_goes_by_its_inflated_name(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/uploads?filename=jobs.csv.gz", data=gzip.compress(ROWS), headers={**ANA, **CSV}
    )
    download = get(client, answer.get_json())
    assert download.data == ROWS
    assert download.headers["Content-Disposition"] == "attachment; filename=jobs.csv"


def test_a_part_of_the_file_can_be_had(client: FlaskClient) -> None:
    answer = get(client, upload(client), Range="bytes=2-5")
    assert (answer.status_code, answer.data) == (206, ROWS[2:6])
    assert answer.headers["Content-Range"] == f"bytes 2-5/{len(ROWS)}"


def test_a_part_beyond_the_file_can_not(client: FlaskClient) -> None:
    answer = get(client, upload(client), Range="bytes=1000-")
    assert (answer.status_code, answer.mimetype) == (416, "application/problem+json")


def test_a_file_one_has_is_not_sent_again(client: FlaskClient) -> None:
    document = upload(client)
    answer = get(client, document, **{"If-None-Match": f'"{document["sha256"]}"'})
    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    ['say "jobs".csv', "größe.csv", "a;b=c.csv", "semi;colon\u202e.csv", "emoji \U0001f600.csv"],
)
@pytest.mark.parametrize("what", ["file", "rejects"])
def test_any_file_name_is_safe_in_the_header(
    client: FlaskClient, stores: Stores, name: str, what: str
) -> None:
    document = upload(client, name)
    stores.uploads.update(document["id"], expect={State.QUEUED}, state=State.COMPLETED)
    answer = client.get(document["links"][what], headers=ANA, buffered=True)
    header = answer.headers["Content-Disposition"]
    assert header.isascii()
    kind, parameters = parse_options_header(header)
    expected = name if what == "file" else name.replace(".csv", ".rejects.csv")
    assert (kind, parameters["filename"]) == ("attachment", expected)


@pytest.mark.parametrize(
    ("name", "plain", "extended"),
    [
        ("größe.csv", "gro_e.csv", "gr%C3%B6%C3%9Fe.csv"),
        ("数据.csv", "_.csv", "%E6%95%B0%E6%8D%AE.csv"),
    ],
)
def test_a_client_that_knows_ascii_only_gets_what_it_can_of_the_name(
    client: FlaskClient, name: str, plain: str, extended: str
) -> None:
    header = get(client, upload(client, name)).headers["Content-Disposition"]
    assert header == f"attachment; filename={plain}; filename*=UTF-8''{extended}"
