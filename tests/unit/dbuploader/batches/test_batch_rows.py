"""POST /v1/tables/{table}/rows: all or nothing; and …/check, which writes none."""

from dataclasses import replace
from typing import cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dbuploader.batches.merge import Batches
from dbuploader.services import Services
from muster.database import Database, DatabaseUnavailable
from muster.http.service import provide, provided
from tests.unit.dbuploader.suite import BATCH_LIMITS, LossyDatabase, Suite

ROWS = "/v1/tables/hired_employees/rows"
CHECK = "/v1/tables/hired_employees/check"
HIRE = {"id": 1, "name": "Ana", "datetime": "2021-07-27T16:02:08Z", "department_id": 1, "job_id": 2}


def test_rows_are_written_and_counted(client: FlaskClient, suite: Suite) -> None:
    answer = client.post(ROWS, json=[HIRE, HIRE | {"id": 2}, HIRE])

    assert (answer.status_code, answer.json) == (
        200,
        {"read": 3, "inserted": 2, "updated": 0, "unchanged": 1},
    )
    assert suite.summary() == suite.expected_summary() == [(2021, 3, 1, 2, 2)]


def test_rows_may_stand_in_an_object(client: FlaskClient) -> None:
    answer = client.post(ROWS, json={"rows": [HIRE]})

    assert answer.status_code == 200


def test_updates_keep_the_summary(client: FlaskClient, suite: Suite) -> None:
    client.post(ROWS, json=[HIRE])

    answer = client.post(ROWS, json=[HIRE | {"department_id": 3}])

    assert answer.json == {"read": 1, "inserted": 0, "updated": 1, "unchanged": 0}
    assert suite.summary() == [(2021, 3, 3, 2, 1)]


def test_strings_are_read_as_cells(client: FlaskClient, suite: Suite) -> None:
    answer = client.post(ROWS, json=[HIRE | {"id": " 7 ", "name": "  Ana "}])

    assert answer.status_code == 200
    assert suite.rows("hired_employees")[0][:2] == (7, "Ana")


def test_a_check_says_what_writing_would_say_and_writes_nothing(
    client: FlaskClient, suite: Suite
) -> None:
    rows = [HIRE, HIRE | {"id": 2, "department_id": 99, "job_id": None}, HIRE | {"name": "Bo"}, 4]

    checked = client.post(CHECK, json=rows)

    assert checked.status_code == 200
    assert checked.json is not None
    assert [(error["row"], error["code"]) for error in checked.json["errors"]] == [
        (2, "constraint-error"),
        (3, "primary-key"),
        (4, "type-error"),
    ]
    assert (checked.json["read"], checked.json["errors_total"]) == (4, 3)
    assert suite.rows("hired_employees") == []
    refused = client.post(ROWS, json=rows).json
    assert refused is not None
    assert refused["errors"] == [
        {name: part for name, part in error.items() if name != "suggestions"}
        for error in checked.json["errors"]
    ]


def test_a_check_of_good_rows_finds_nothing(client: FlaskClient, suite: Suite) -> None:
    answer = client.post(CHECK, json={"rows": [HIRE, HIRE, HIRE | {"id": 2}]})

    assert (answer.status_code, answer.json) == (200, {"read": 3, "errors": [], "errors_total": 0})
    assert suite.rows("hired_employees") == []


@pytest.mark.parametrize(
    ("table", "body", "status"),
    [("nobody", "[]", 404), ("jobs", "[]", 422), ("jobs", "{", 400)],
)
def test_what_can_not_be_checked(client: FlaskClient, table: str, body: str, status: int) -> None:
    path = f"/v1/tables/{table}/check"
    assert client.post(path, data=body, content_type="application/json").status_code == status
    assert client.post(CHECK, data="1,Ana", content_type="text/csv").status_code == 415


def test_one_bad_row_writes_nothing_and_every_error_is_told(
    client: FlaskClient, suite: Suite
) -> None:
    rows = [
        HIRE,
        HIRE | {"id": 2, "department_id": 99, "job_id": None},
        HIRE | {"id": 3, "department_id": 99, "job_id": 88},
        HIRE | {"name": "Bo"},
        HIRE | {"id": 4, "colour": "red"},
        17,
    ]

    answer = client.post(ROWS, json=rows)

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert [(e["row"], e["column"], e["code"]) for e in answer.json["errors"]] == [
        (2, "job_id", "constraint-error"),
        (3, "department_id", "foreign-key"),
        (3, "job_id", "foreign-key"),
        (4, "id", "primary-key"),
        (5, "colour", "extra-cell"),
        (6, None, "type-error"),
    ]
    assert "row 1" in answer.json["errors"][3]["message"]
    assert (suite.rows("hired_employees"), suite.summary()) == ([], [])


@pytest.mark.parametrize(
    "value",
    ["1.0", "true", "[1]", '"1.5"', '"1e3"', "0", "2147483648", "9" * 5000, r'"\ud800"', "null"],
)
def test_a_value_that_is_no_id_is_refused(client: FlaskClient, value: str) -> None:
    body = f'[{{"id": {value}, "job": "Baker"}}]'

    answer = client.post("/v1/tables/jobs/rows", data=body, content_type="application/json")

    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["column"] for error in answer.json["errors"]] == ["id"]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_rows(client: FlaskClient, count: int) -> None:
    assert client.post(ROWS, json=[HIRE] * count).status_code == 422


def test_1000_rows_are_taken(client: FlaskClient) -> None:
    answer = client.post(ROWS, json=[HIRE | {"id": key} for key in range(1, 1001)])

    assert answer.json is not None
    assert answer.json["inserted"] == 1000


@pytest.mark.parametrize("content", [{}, {"rows": 1}, "text", 7])
def test_what_is_no_batch_is_refused(client: FlaskClient, content: object) -> None:
    assert client.post(ROWS, json=content).status_code == 422


def test_malformed_json_is_told_where(client: FlaskClient) -> None:
    answer = client.post(ROWS, data='[\n{"id": 1,}]', content_type="application/json")

    assert answer.status_code == 400
    assert answer.json is not None
    assert "line 2, column" in answer.json["detail"]


@pytest.mark.parametrize("body", [b"", b"[NaN]", b"[\xff]", b"[" * 100_000])
def test_what_is_not_json_is_refused(client: FlaskClient, body: bytes) -> None:
    assert client.post(ROWS, data=body, content_type="application/json").status_code == 400


def test_another_media_type_is_refused(client: FlaskClient) -> None:
    assert client.post(ROWS, data="1,Ana", content_type="text/csv").status_code == 415


def test_a_body_over_4_mib_is_refused(client: FlaskClient) -> None:
    body = b"[" + b" " * (4 * 1024 * 1024) + b"]"

    assert client.post(ROWS, data=body, content_type="application/json").status_code == 413


def test_an_unknown_table_is_told_with_the_known_ones(client: FlaskClient) -> None:
    answer = client.post("/v1/tables/salaries/rows", json=[HIRE])

    assert answer.status_code == 404
    assert answer.json is not None
    assert "hired_employees" in answer.json["detail"]


@pytest.mark.parametrize(
    ("token", "status"), [("forged", 401), ("ana:uploads:write", 403), ("ana:rows:write", 200)]
)
def test_only_who_may_write_rows_does(client: FlaskClient, token: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    assert client.post(ROWS, json=[HIRE], headers=headers).status_code == status


def test_a_passing_deadlock_is_not_seen(app: Flask, client: FlaskClient, suite: Suite) -> None:
    lossy = break_database(app, suite.database)
    lossy.refused = [DatabaseUnavailable("deadlock")] * 2

    assert client.post(ROWS, json=[HIRE]).status_code == 200


def test_a_database_that_stays_away_answers_503(
    app: Flask, client: FlaskClient, suite: Suite
) -> None:
    lossy = break_database(app, suite.database)
    lossy.refused = [DatabaseUnavailable("gone")] * 99

    answer = client.post(ROWS, json=[HIRE])

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_readiness_asks_the_database(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert b"muster_http_requests_total" in client.get("/metrics").data


def break_database(app: Flask, database: Database) -> LossyDatabase:
    lossy = LossyDatabase(database)
    provide(
        app, replace(provided(app, Services), batches=Batches(cast(Database, lossy), BATCH_LIMITS))
    )
    return lossy


def test_of_many_unknown_columns_the_first_are_told_and_how_many_more(client: FlaskClient) -> None:
    row = {"id": 9, "job": "Baker", "a" * 10_000: 1, **{f"c{n}": n for n in range(100_000)}}

    answer = client.post("/v1/tables/jobs/rows", json=[row])

    assert answer.status_code == 422
    assert answer.json is not None
    errors = answer.json["errors"]
    assert [error["column"] for error in errors[:2]] == ["a" * 100, "c0"]
    assert (len(errors), errors[-1]["column"]) == (11, None)
    assert "99991 further names" in errors[-1]["message"]
    assert len(answer.data) < 10_000


def test_an_answer_tells_the_first_error_of_each_row_before_any_second(
    app: Flask, client: FlaskClient, suite: Suite
) -> None:
    limits = replace(BATCH_LIMITS, errors=4)
    provide(app, replace(provided(app, Services), batches=Batches(suite.database, limits)))
    bad: list[dict[str, object]] = [{"id": "x", "job": ""}] * 3

    answer = client.post("/v1/tables/jobs/rows", json=bad)

    assert answer.json is not None
    told = [(error["row"], error["column"]) for error in answer.json["errors"]]
    assert told == [(1, "id"), (1, "job"), (2, "id"), (3, "id")]
    assert answer.json["errors_total"] == 6
    assert "4 of 6 errors (MUSTER_MAX_BATCH_ERRORS)" in answer.json["detail"]
