"""GET /v1/queries/departments-above-mean."""

from typing import Any

from flask.testing import FlaskClient

from muster.database import Database
from tests.unit.queries.employment import fill, hires

PATH = "/v1/queries/departments-above-mean"


def ask(client: FlaskClient, year: int = 2021) -> dict[str, Any]:
    answer = client.get(PATH, query_string={"year": year})
    assert answer.status_code == 200
    document: dict[str, Any] = answer.get_json()
    return document


def test_only_departments_above_the_mean_are_listed(
    client: FlaskClient, database: Database
) -> None:
    hired = hires(2021, 1, 1, 1, 4) + hires(2021, 9, 2, 1, 2)
    fill(database, {1: "Sales", 2: "Legal", 3: "Support"}, {1: "Clerk"}, hired)
    # Legal has hired just the mean of 2 and is not above it; Support's nobody counts.
    assert ask(client) == {
        "year": 2021,
        "mean": 2.0,
        "rows": [{"id": 1, "department": "Sales", "hired": 4}],
    }


def test_hires_of_all_jobs_and_quarters_are_summed(client: FlaskClient, database: Database) -> None:
    hired = hires(2021, 1, 1, 1, 2) + hires(2021, 12, 1, 2, 3) + hires(2020, 1, 1, 1, 50)
    fill(database, {1: "Sales", 2: "Legal"}, {1: "Clerk", 2: "Cook"}, hired)
    assert ask(client)["rows"] == [{"id": 1, "department": "Sales", "hired": 5}]


def test_most_come_first_then_names_caselessly_then_ids(
    client: FlaskClient, database: Database
) -> None:
    departments = {1: "beta", 2: "Alpha", 3: "Beta", 4: "Most", 5: "Nobody", 6: "None"}
    hired = [hire for key in (1, 2, 3) for hire in hires(2021, 1, key, 1, 3)]
    fill(database, departments, {1: "Clerk"}, hired + hires(2021, 1, 4, 1, 5))
    assert [row["department"] for row in ask(client)["rows"]] == ["Most", "Alpha", "beta", "Beta"]


def test_a_mean_that_no_float_holds_is_compared_exactly(
    client: FlaskClient, database: Database
) -> None:
    fill(database, {1: "A", 2: "B", 3: "C"}, {1: "Clerk"}, hires(2021, 1, 1, 1))
    answer = ask(client)
    assert answer["mean"] == 1 / 3
    assert [row["id"] for row in answer["rows"]] == [1]


def test_when_all_hired_alike_none_is_above(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "A", 2: "B"}, {1: "Clerk"}, hires(2021, 1, 1, 1) + hires(2021, 1, 2, 1))
    assert ask(client) == {"year": 2021, "mean": 1.0, "rows": []}


def test_without_departments_the_mean_is_zero(client: FlaskClient) -> None:
    assert ask(client) == {"year": 2021, "mean": 0.0, "rows": []}


def test_csv_has_a_row_for_each_department(client: FlaskClient, database: Database) -> None:
    fill(database, {7: "A, B", 8: "C"}, {1: "Clerk"}, hires(2021, 1, 7, 1, 2))
    answer = client.get(f"{PATH}?year=2021", headers={"Accept": "text/csv"})
    assert answer.text == 'id,department,hired\r\n7,"A, B",2\r\n'
