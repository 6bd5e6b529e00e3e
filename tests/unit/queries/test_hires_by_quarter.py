"""GET /v1/queries/hires-by-quarter."""

import csv
import io

from flask.testing import FlaskClient

from muster.database import Database
from tests.unit.queries.employment import Hire, fill, hires

PATH = "/v1/queries/hires-by-quarter"


def rows(client: FlaskClient, year: int = 2021) -> list[tuple[str | int, ...]]:
    answer = client.get(PATH, query_string={"year": year})
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["year"] == year
    return [tuple(row.values()) for row in answer.json["rows"]]


def test_each_department_and_job_has_its_hires_by_quarter(
    client: FlaskClient, database: Database
) -> None:
    hired = hires(2021, 1, 1, 1) + hires(2021, 3, 1, 1) + hires(2021, 12, 1, 1, 3)
    fill(database, {1: "Sales"}, {1: "Clerk", 2: "Cook"}, hired + hires(2021, 4, 1, 2))
    assert client.get(f"{PATH}?year=2021").json == {
        "year": 2021,
        "rows": [
            {"department": "Sales", "job": "Clerk", "q1": 2, "q2": 0, "q3": 0, "q4": 3},
            {"department": "Sales", "job": "Cook", "q1": 0, "q2": 1, "q3": 0, "q4": 0},
        ],
    }


def test_members_stand_in_the_documented_order(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {1: "Clerk"}, hires(2021, 7, 1, 1))
    assert client.get(f"{PATH}?year=2021").text == (
        '{"year":2021,"rows":[{"department":"Sales","job":"Clerk","q1":0,"q2":0,"q3":1,"q4":0}]}\n'
    )


def test_other_years_do_not_count(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {1: "Clerk"}, hires(2020, 12, 1, 1) + hires(2022, 1, 1, 1))
    assert rows(client) == []
    assert rows(client, 2020) == [("Sales", "Clerk", 0, 0, 0, 1)]


def test_a_summary_row_of_nobody_is_no_row(client: FlaskClient, database: Database) -> None:
    fill(database, {1: "Sales"}, {1: "Clerk"}, hires(2021, 1, 1, 1))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE hires_summary SET hired = 0")
    assert rows(client) == []


def test_order_is_caseless_by_department_then_job(client: FlaskClient, database: Database) -> None:
    departments = {1: "sales", 2: "Accounting", 3: "Sales", 4: "straße", 5: "STRASSF"}
    hired: list[Hire] = []
    for department in departments:
        hired += hires(2021, 1, department, 1)
    hired += hires(2021, 1, 1, 2)
    fill(database, departments, {1: "cook", 2: "Baker"}, hired)
    assert [row[:2] for row in rows(client)] == [
        ("Accounting", "cook"),
        ("sales", "Baker"),
        ("Sales", "cook"),
        ("sales", "cook"),
        ("straße", "cook"),
        ("STRASSF", "cook"),
    ]


def test_departments_of_one_name_stay_apart(client: FlaskClient, database: Database) -> None:
    hired = hires(2021, 1, 2, 1) + hires(2021, 4, 1, 1)
    fill(database, {1: "Sales", 2: "Sales"}, {1: "Clerk"}, hired)
    assert rows(client) == [("Sales", "Clerk", 0, 1, 0, 0), ("Sales", "Clerk", 1, 0, 0, 0)]


def test_csv_quotes_names_as_rfc_4180_does(client: FlaskClient, database: Database) -> None:
    department, job = 'Research, "Applied"', "=1+1"
    fill(database, {1: department}, {1: job}, hires(2021, 1, 1, 1))
    answer = client.get(f"{PATH}?year=2021", headers={"Accept": "text/csv"})
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.text == ('department,job,Q1,Q2,Q3,Q4\r\n"Research, ""Applied""",=1+1,1,0,0,0\r\n')
    assert list(csv.reader(io.StringIO(answer.text)))[1][:2] == [department, job]


def test_a_year_without_hires_is_an_empty_table(client: FlaskClient) -> None:
    assert rows(client, 1999) == []
    answer = client.get(f"{PATH}?year=1999", headers={"Accept": "text/csv"})
    assert answer.text == "department,job,Q1,Q2,Q3,Q4\r\n"
