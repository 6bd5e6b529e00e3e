"""What an upload is expected to do: as its uploader says, or as a setting says for the table."""

import io
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.test import TestResponse

from gateway.settings import Settings, TableLimits
from gateway.uploads.corrections import submission_of
from muster.contracts.uploads import Options, Upload
from muster.http.tokens import Principal
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ANA, CSV

LIMITS = {"jobs": TableLimits(max_inserted="10", max_updated="5%")}


def post(client: FlaskClient, key: str | None = None, **query: str) -> TestResponse:
    headers = {**ANA, **CSV, **({} if key is None else {"Idempotency-Key": key})}
    query = {"filename": "jobs.csv", **query}
    return client.post("/v1/uploads", query_string=query, data=b"1,Baker\n", headers=headers)


def expected(answer: TestResponse) -> tuple[int | None, str | None, str | None]:
    assert answer.status_code == 202
    options = answer.get_json()["options"]
    return options["expect_rows"], options["max_inserted"], options["max_updated"]


@pytest.fixture
def limited(make_app: Callable[..., OpenAPI]) -> FlaskClient:
    """A client of an installation that has limits for one table."""
    return make_app(expectations=LIMITS).test_client()


def test_expectations_stand_in_the_options_of_the_upload(client: FlaskClient) -> None:
    assert expected(post(client)) == (None, None, None)
    said = {"expect_rows": "1999", "max_inserted": "2000", "max_updated": "0.5%"}
    assert expected(post(client, **said)) == (1999, "2000", "0.5%")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("expect_rows", value) for value in ("-1", "1e3", "", "5%", "2147483648")),
        *(("max_inserted", value) for value in ("", "-1", "1.5", "101%", "many")),
        ("max_updated", "5 %"),
    ],
)
def test_what_is_no_number_or_share_is_refused(client: FlaskClient, field: str, value: str) -> None:
    answer = post(client, **{field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]


def test_a_percent_sign_that_is_not_encoded_is_understood(client: FlaskClient) -> None:
    url = "/v1/uploads?filename=jobs.csv&max_updated=5%&max_inserted=7%25"
    answer = client.post(url, data=b"1,Baker\n", headers={**ANA, **CSV})
    assert expected(answer) == (None, "7%", "5%")


def test_the_limits_of_a_table_hold_where_the_uploader_says_nothing(limited: FlaskClient) -> None:
    assert expected(post(limited)) == (None, "10", "5%")
    assert expected(post(limited, max_updated="100%")) == (None, "10", "100%")
    assert expected(post(limited, filename="departments.csv")) == (None, None, None)


def test_the_limits_of_a_table_do_not_hold_for_corrections(limited: FlaskClient) -> None:
    first = post(limited).get_json()["id"]
    assert expected(post(limited, previous=first)) == (None, None, None)
    assert expected(post(limited, previous=first, max_updated="1")) == (None, None, "1")


def test_corrected_rows_are_not_held_to_what_is_expected_of_the_file() -> None:
    ana = Principal("ana", "ana@example.com", frozenset(), 1, "token", 0)
    options = Options(mode="insert", expect_rows=1999, max_inserted="9", max_updated="5%")
    upload: Upload = an_upload(options=options)
    corrected = submission_of(ana, upload, b"id,job,_line\r\n", 1000).options
    assert corrected == Options(
        mode="insert", header="present", delimiter=",", encoding="utf-8", columns=""
    )


def test_a_request_with_other_expectations_is_another(client: FlaskClient) -> None:
    first = post(client, "key", max_updated="5%")
    assert post(client, "key", max_updated="5%").get_json()["id"] == first.get_json()["id"]
    answer = post(client, "key", max_updated="6%")
    assert answer.status_code == 422
    assert answer.get_json()["type"] == "/docs/errors#idempotency-key-reused"


def test_a_repeated_request_is_the_same_whatever_the_limits_are_by_then(
    client: FlaskClient, limited: FlaskClient
) -> None:
    first = post(client, "key").get_json()
    assert post(limited, "key").get_json()["id"] == first["id"]


def test_the_form_without_scripts_has_the_limits_too(limited: FlaskClient) -> None:
    limited.set_cookie("muster_session", "ana+uploads:write+uploads:read")
    answer = limited.post(
        "/uploads",
        data={"file": (io.BytesIO(b"1,Baker\n"), "jobs.csv")},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    page = limited.get(answer.location).text
    assert "at most 10 may be inserted; at most 5% may be updated" in page


def test_the_setting_is_a_json_object_by_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "MUSTER_EXPECTATIONS", '{"jobs": {"max_updated": "5%", "max_inserted": "10"}}'
    )
    assert Settings().expectations == LIMITS
    monkeypatch.setenv("MUSTER_EXPECTATIONS", "")
    assert Settings().expectations == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("jobs=5%", "Invalid JSON"),
        ("[]", "valid dictionary"),
        ('{"job": {"max_updated": "5%"}}', "there is no table job; the tables are departments"),
        ('{"jobs": {"max_update": "5%"}}', "Extra inputs"),
        ('{"jobs": {"max_updated": "5"}, "jobs": {"max_updated": "a tenth"}}', "a number of rows"),
        ('{"jobs": {"max_updated": 5}}', "valid string"),
    ],
)
def test_a_setting_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    monkeypatch.setenv("MUSTER_EXPECTATIONS", text)
    with pytest.raises(ValidationError, match=complaint):
        Settings()
