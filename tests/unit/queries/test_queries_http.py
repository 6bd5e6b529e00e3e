"""What both questions have in common over HTTP: years, negotiation, entity tags, refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from muster.database import Database, open_database
from muster.http.service import provide, provided
from queries.hiring import Hiring
from queries.services import Services
from tests.unit.queries.employment import fill, hires
from tests.waiting import eventually_up

PATHS = ("/v1/queries/hires-by-quarter", "/v1/queries/departments-above-mean")
both = pytest.mark.parametrize("path", PATHS)


@both
@pytest.mark.parametrize(
    "query",
    [
        "",
        *("?year=", "?year=999", "?year=0999", "?year=10000", "?year=-2021", "?year=last"),
        *("?year=2_21", "?year=2021.0", "?year=2021%0A", "?year=%D9%A2%D9%A0%D9%A2%D9%A1"),
    ],
)
def test_what_is_no_year_is_refused(client: FlaskClient, path: str, query: str) -> None:
    answer = client.get(path + query)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "year"


@both
@pytest.mark.parametrize("year", [1000, 9999])
def test_the_first_and_the_last_year_are_years(client: FlaskClient, path: str, year: int) -> None:
    assert client.get(f"{path}?year={year}").status_code == 200


@both
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/csv;q=0.4, application/json", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("", "application/json"),
        ("*/*, text/csv", "text/csv"),
        ("text/csv, application/json", "text/csv"),
        ("*/*;q=0.5, application/json;q=0.1", "text/csv"),
    ],
)
def test_the_accept_header_chooses(
    client: FlaskClient, path: str, accept: str | None, expected: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = client.get(f"{path}?year=2021", headers=headers)
    assert answer.mimetype == expected
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "private, no-cache"


@both
def test_an_answer_in_no_accepted_type_is_refused(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{path}?year=2021", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.headers["Vary"]) == (406, "Accept")
    problem = answer.get_json()
    assert problem["detail"] == "The answer comes as application/json or text/csv."


@both
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_a_client_that_has_the_answer_is_not_sent_it_again(
    client: FlaskClient, path: str, accept: str
) -> None:
    first = client.get(f"{path}?year=2021", headers={"Accept": accept})
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    again = client.get(f"{path}?year=2021", headers={"Accept": accept, "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Vary"] == "Accept"


@both
def test_the_tag_changes_exactly_when_the_answer_does(
    client: FlaskClient, database: Database, path: str
) -> None:
    def tag() -> str:
        return client.get(f"{path}?year=2021").headers["ETag"]

    departments, jobs = {1: "Sales", 2: "Legal"}, {1: "Clerk"}
    fill(database, departments, jobs, hires(2021, 1, 1, 1))
    before = tag()
    fill(database, departments, jobs, hires(2021, 1, 1, 1) + hires(2022, 1, 1, 1))
    assert tag() == before
    fill(database, departments, jobs, hires(2021, 1, 1, 1, 2))
    assert tag() != before
    fill(database, departments, jobs, hires(2021, 2, 1, 1))
    assert tag() == before


@both
def test_json_and_csv_have_tags_of_their_own(client: FlaskClient, path: str) -> None:
    tags = {
        client.get(f"{path}?year=2021", headers={"Accept": accept}).headers["ETag"]
        for accept in ("application/json", "text/csv")
    }
    assert len(tags) == 2


@pytest.mark.parametrize("path", [*PATHS, "/v1/tables/jobs/rows"])
@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Bearer forged", 401), ("Bearer uploads:read,uploads:admin", 403)],
)
def test_only_who_may_query_gets_an_answer(
    app: Flask, path: str, authorization: str | None, status: int
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert app.test_client().get(path, headers=headers).status_code == status


@both
def test_an_unavailable_database_is_a_503(
    app: Flask, client: FlaskClient, path: str, tmp_path: Path
) -> None:
    hiring = Hiring(open_database(f"sqlite:///{tmp_path}/."))
    provide(app, replace(provided(app, Services), hiring=hiring))
    answer = client.get(f"{path}?year=2021")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_it_is_unavailable_while_the_schema_is_missing(app: Flask) -> None:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer queries:read"
    assert client.get("/readyz").status_code == 503
    assert client.get(f"{PATHS[0]}?year=2021").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_it_is_not_ready_while_a_column_is_missing(app: Flask, database: Database) -> None:
    rename = "ALTER TABLE hires_summary RENAME COLUMN {} TO {}"
    client = app.test_client()
    with database.write() as connection:
        connection.exec_driver_sql(rename.format("hired", "hires"))
    assert client.get("/readyz").status_code == 503
    with database.write() as connection:
        connection.exec_driver_sql(rename.format("hires", "hired"))
    assert client.get("/readyz").status_code == 200


def test_it_stays_ready_while_its_database_is_away_and_says_so_by_a_metric(
    app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.backends.dependencies.FRESH_SECONDS", 0.0)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer queries:read"
    assert client.get("/readyz").status_code == 200
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE hires_summary")
    assert client.get("/readyz").status_code == 200
    answer = client.get(f"{PATHS[0]}?year=2021")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    eventually_up(client, "queries", {"employment database": False})
