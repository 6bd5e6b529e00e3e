"""GET /v1/tables/{table}/rows, and one row of it."""

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.database import Database
from muster.http.json_text import json_text
from tests.paging import assert_next_is_linked
from tests.unit.queries.employment import Hire, fill


def get(client: FlaskClient, table: str, **query: str | int) -> dict[str, Any]:
    answer = client.get(f"/v1/tables/{table}/rows", query_string=query)
    assert answer.status_code == 200
    assert_next_is_linked(answer)
    page: dict[str, Any] = answer.get_json()
    assert answer.text == json_text(page)
    return page


def test_rows_come_in_the_order_of_their_keys(client: FlaskClient, database: Database) -> None:
    fill(database, {30: "C", 4: "A", 5: "B"}, {})
    assert get(client, "departments") == {
        "rows": [
            {"id": 4, "department": "A"},
            {"id": 5, "department": "B"},
            {"id": 30, "department": "C"},
        ],
        "next": None,
        "count": 3,
        "count_capped": False,
    }


def test_following_next_gives_every_row_once(client: FlaskClient, database: Database) -> None:
    keys = [*range(1, 20, 3), 2**31 - 1]
    fill(database, {}, {key: f"Job {key}" for key in keys})
    seen: list[int] = []
    page = get(client, "jobs", limit=3)
    while page["next"] is not None:
        assert len(page["rows"]) == 3
        seen += [row["id"] for row in page["rows"]]
        page = get(client, "jobs", limit=3, cursor=page["next"])
    assert seen + [row["id"] for row in page["rows"]] == keys


def test_the_last_full_page_has_no_next(client: FlaskClient, database: Database) -> None:
    fill(database, {}, {1: "Clerk", 2: "Cook"})
    assert get(client, "jobs", limit=2)["next"] is None
    assert get(client, "jobs", limit=1)["next"] is not None


def test_a_page_has_a_hundred_rows_unless_told(client: FlaskClient, database: Database) -> None:
    fill(database, {}, dict.fromkeys(range(1, 1102), "Clerk"))
    assert len(get(client, "jobs")["rows"]) == 100
    assert len(get(client, "jobs", limit=1000)["rows"]) == 1000


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (datetime(2021, 11, 7, 2, 48, 42), "2021-11-07T02:48:42Z"),
        (datetime(2021, 11, 7, 2, 48, 42, 500), "2021-11-07T02:48:42.000500Z"),
        (datetime(1000, 1, 1), "1000-01-01T00:00:00Z"),
    ],
)
def test_times_are_rfc_3339(
    client: FlaskClient, database: Database, time: datetime, expected: str
) -> None:
    fill(database, {1: "Sales"}, {2: "Clerk"}, [Hire(time, 1, 2, "Ty Hofer")])
    row = {"id": 1, "name": "Ty Hofer", "datetime": expected, "department_id": 1, "job_id": 2}
    assert get(client, "hired_employees")["rows"] == [row]


@pytest.mark.parametrize("table", ["nothing", "hires_summary", "Jobs", "jobs;"])
def test_only_declared_tables_can_be_read(client: FlaskClient, table: str) -> None:
    answer = client.get(f"/v1/tables/{table}/rows")
    assert answer.status_code == 404
    assert answer.json is not None
    assert "hired_employees" in answer.json["detail"]


@pytest.mark.parametrize(
    "query",
    [{"limit": value} for value in ("0", "1001", "-1", "ten", "", "1_0", "99999")]
    + [{"cursor": value} for value in ("", "x", "%%%", "MQ==", "é", "LTE", "OTk5OTk5OTk5OTk5")],
)
def test_a_bad_limit_or_cursor_is_refused(client: FlaskClient, query: dict[str, str]) -> None:
    answer = client.get("/v1/tables/jobs/rows", query_string=query)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] in query


def test_one_row_is_found_by_its_key(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {2: "Clerk", 3: "Cook"})
    answer = client.get("/v1/tables/jobs/rows/3")
    assert (answer.status_code, answer.get_json()) == (200, {"id": 3, "job": "Cook"})


def test_a_row_that_is_not_there_is_named(client: FlaskClient, database: Database) -> None:
    fill(database, {3: "Sales"}, {2: "Clerk"})
    answer = client.get("/v1/tables/jobs/rows/3")
    assert answer.status_code == 404
    assert answer.get_json()["detail"] == "jobs has no row with the id 3."


@pytest.mark.parametrize("key", ["0", "x", "1.0", "01", "-1", "2147483648"])
def test_what_no_row_can_have_for_a_key_is_refused(client: FlaskClient, key: str) -> None:
    answer = client.get(f"/v1/tables/jobs/rows/{key}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "key"


def test_a_row_of_no_table_is_not_found(client: FlaskClient) -> None:
    assert client.get("/v1/tables/hires_summary/rows/1").status_code == 404


def test_a_row_needs_the_permission(client: FlaskClient) -> None:
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer rows:write"
    assert client.get("/v1/tables/jobs/rows/1").status_code == 403
