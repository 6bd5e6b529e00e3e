"""GET /v1/tables/{table}/rows, searched, filtered, sorted, counted and as CSV."""

import random
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, event

from muster.contracts.tables import get_table
from muster.database import Database
from queries import rows, selection
from queries.selection import Selection
from tests.unit.queries.employment import Hire, fill
from tests.unit.queries.test_table_rows import get

NAMES = ("Ana", "ana Maria", "Ángel", "Bo", "Éva", "Eve", "100%", "1_0", "Zoë", "ZOE", "Straße")
DEPARTMENTS, JOBS = {1: "Sales", 2: "Legal", 3: "Research"}, {7: "Clerk", 8: "Cook"}


def staff(number: int = 40) -> list[Hire]:
    chance = random.Random(7)
    return [
        Hire(
            datetime(2021, 1, 1),
            chance.choice([*DEPARTMENTS]),
            chance.choice([*JOBS]),
            chance.choice(NAMES),
        )
        for _ in range(number)
    ]


@pytest.fixture
def hires(database: Database) -> list[dict[str, Any]]:
    people = staff()
    fill(database, DEPARTMENTS, JOBS, people)
    return [{"id": number, **vars(each)} for number, each in enumerate(people, start=1)]


@pytest.fixture(params=[100_000, 7])
def looked_through(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """With few entries a statement, a page is put together of many parts, or is left short."""
    monkeypatch.setattr(selection, "LOOKED_THROUGH", request.param)
    return int(request.param)


def all_of(client: FlaskClient, table: str = "hired_employees", **query: Any) -> list[int]:
    """The keys of all pages, each of which is whole, or short with a cursor."""
    seen: list[int] = []
    page = get(client, table, **query)
    while True:
        seen += [row["id"] for row in page["rows"]]
        if page["next"] is None:
            return seen
        page = get(client, table, cursor=page["next"], **query)


QUERIES: list[dict[str, Any]] = [
    {},
    {"department_id": 2},
    {"search": "an"},
    {"job_id": 7, "department_id": 3, "search": "e"},
]


@pytest.mark.usefixtures("looked_through")
def test_pages_follow_the_order_through_ties_and_give_each_row_once(
    client: FlaskClient, hires: list[dict[str, Any]]
) -> None:
    folded = {"Ángel": "angel", "Éva": "eva"}
    sorts = ("id", "-id", "department_id", "-department_id", "job_id")
    for sort, query in product(sorts, QUERIES):
        begins = query.get("search", "")
        wanted = [
            row
            for row in hires
            if folded.get(row["name"], row["name"].lower()).startswith(begins)
            and all(row[name] == value for name, value in query.items() if name != "search")
        ]
        column = sort.removeprefix("-")
        wanted.sort(key=lambda row: (row[column], row["id"]), reverse=sort.startswith("-"))
        assert wanted
        keys = [row["id"] for row in wanted]
        assert all_of(client, sort=sort, limit=4, **query) == keys, (sort, query)


SEARCHES: dict[str, set[str]] = {
    "ana": {"Ana", "ana Maria"},
    "ÀNG": {"Ángel"},
    "zoe": {"Zoë", "ZOE"},
    "maria": set(),
    "100%": {"100%"},
    "1_": {"1_0"},
    "%": set(),
    "\\": set(),
    "str": {"Straße"},
    "' OR 1=1 --": set(),
}


@pytest.mark.usefixtures("hires")
def test_a_search_is_for_how_a_text_begins_caseless_and_without_accents(
    client: FlaskClient,
) -> None:
    for search, names in SEARCHES.items():
        page = get(client, "hired_employees", search=search)
        assert {row["name"] for row in page["rows"]} == names
        assert (page["count"], page["count_capped"]) == (len(page["rows"]), False)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"sort": "name"}, "id or department_id or job_id"),
        ({"sort": "datetime"}, "id or department_id or job_id"),
        ({"sort": "--id"}, "id or department_id or job_id"),
        ({"name": "Ana"}, "id or department_id or job_id"),
        ({"department_id": "x"}, "whole number"),
        ({"department_id": "07"}, "whole number"),
        ({"id": "9" * 19}, "whole number"),
        ({"names": "yes"}, "true or false"),
        ({"search": "x" * 256}, "255"),
        # Of another order.
        ({"cursor": "MQ", "sort": "-id"}, "earlier page"),
        ({"cursor": "ZGVwYXJ0bWVudF9pZDoxOjE", "sort": "job_id"}, "earlier page"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    client: FlaskClient, query: dict[str, str], says: str
) -> None:
    answer = client.get("/v1/tables/hired_employees/rows", query_string=query)
    assert answer.status_code == 422
    [error] = answer.get_json()["errors"]
    assert error["field"] in query
    assert says in error["message"]


def test_rows_are_counted_as_far_as_it_costs_little(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, {}, {number: f"Job {number % 3}" for number in range(1, 41)})
    assert (get(client, "jobs", limit=1)["count"], get(client, "jobs", id=3)["count"]) == (40, 1)
    monkeypatch.setattr(selection, "MOST_COUNTED", 30)
    page = get(client, "jobs")
    assert (page["count"], page["count_capped"]) == (30, True)
    # Not all was looked through: there may be more.
    monkeypatch.setattr(selection, "LOOKED_THROUGH", 10)
    page = get(client, "jobs", search="job 1")
    assert (page["count"], page["count_capped"]) == (4, True)


def test_names_stand_beside_ids_where_they_are_wanted(
    client: FlaskClient, hires: list[dict[str, Any]]
) -> None:
    page = get(client, "hired_employees", names="true", department_id=2)
    assert page["names"]["department_id"] == {"2": "Legal"}
    assert set(page["names"]["job_id"]) == {str(row["job_id"]) for row in page["rows"]}
    assert "names" not in get(client, "hired_employees")
    assert {row["department_id"] for row in page["rows"]} == {2}


def as_csv(client: FlaskClient, **query: Any) -> list[str]:
    answer = client.get(
        "/v1/tables/hired_employees/rows", query_string=query, headers={"Accept": "text/csv"}
    )
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    return answer.get_data(as_text=True).splitlines()


@pytest.mark.usefixtures("looked_through")
def test_csv_has_all_rows_of_what_is_asked(
    client: FlaskClient, hires: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_ROWS_AT_ONCE", 10)
    header, *lines = as_csv(client, limit=3)
    assert header == "id,name,datetime,department_id,job_id"
    assert [int(line.split(",")[0]) for line in lines] == [row["id"] for row in hires]
    header, *lines = as_csv(client, sort="-id", search="ana", names="true")
    assert header == "id,name,datetime,department_id,job_id,_department,_job"
    wanted = [row for row in hires if row["name"].lower().startswith("ana")][::-1]
    assert lines == [
        f"{row['id']},{row['name']},2021-01-01T00:00:00Z,{row['department_id']},{row['job_id']},"
        f"{DEPARTMENTS[row['department_id']]},{JOBS[row['job_id']]}"
        for row in wanted
    ]


@pytest.mark.usefixtures("hires")
def test_few_may_read_a_whole_table_at_once_and_one_that_leaves_makes_room(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_ROWS_AT_ONCE", 10)
    url, headers = "/v1/tables/hired_employees/rows", {"Accept": "text/csv"}
    reading = [client.get(url, headers=headers, buffered=False) for _ in range(4)]
    refused = client.get(url, headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    for each in reading:
        each.close()
    assert as_csv(client)[1:]


@pytest.fixture
def plans(database: Database) -> Iterator[list[str]]:
    """How the database goes about each statement that reads rows, of those that follow."""
    found: list[str] = []
    is_sqlite = database.engine.dialect.name == "sqlite"

    def explain(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if "hired_employees" not in statement or statement.startswith("EXPLAIN"):
            return
        explained = connection.exec_driver_sql(
            f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {statement}", parameters
        )
        found.extend(str(dict(step)) for step in explained.mappings())

    event.listen(database.engine, "before_cursor_execute", explain)
    yield found
    event.remove(database.engine, "before_cursor_execute", explain)


@pytest.mark.usefixtures("hires")
def test_no_statement_sorts_or_goes_through_the_whole_table(
    database: Database, plans: list[str]
) -> None:
    queries: list[dict[str, Any]] = [
        {},
        {"filters": {"department_id": 2}},
        {"filters": {"job_id": 7}, "search": "a"},
    ]
    for sort, descending, query in product(("id", "department_id"), (False, True), queries):
        asked = Selection(get_table("hired_employees"), sort, descending, **query)
        with database.read() as connection:
            _found, place = asked.read(connection, None, 3)
            assert place is not None
            asked.read(connection, place, 3)
            asked.count(connection)
    assert plans
    # What is counted is a few rows that were found before.
    for plan in (each for each in plans if "derived" not in each):
        assert "TEMP B-TREE" not in plan
        assert "filesort" not in plan
        # The first rows of the table, of which nothing is asked, may be counted along any way.
        is_counted = "'select_type': 'DERIVED'" in plan and "'Extra': ''" in plan
        assert is_counted or "'type': 'ALL'" not in plan, plan
        assert "SCAN hired_employees'" not in plan, plans
