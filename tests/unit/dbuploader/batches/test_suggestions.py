"""What a check asks about wrong cells: names of parents, values and dates that nearly match."""

from dataclasses import replace
from typing import Any, cast

from flask.testing import FlaskClient

from dbuploader.batches.suggestions import Suggestion, Suggestions
from muster.contracts.tables import StringColumn, get_table
from tests.unit.dbuploader.suite import Suite

CHECK = "/v1/tables/hired_employees/check"
HIRE = {"id": 1, "name": "Ana", "datetime": "2021-07-27", "department_id": 1, "job_id": 2}
MAY_SEE = {"Authorization": "Bearer ana:uploads:write,queries:read"}
NAMES = {11: "Engineering", 12: "Training and Growth", 13: "Kitchen", 14: "kitchen"}
MEANT = [
    ("department_id", "engineering", ["11"]),
    ("department_id", "Enginering", ["11"]),
    ("department_id", "Growth & Training", ["12"]),
    # Of two with the same name, it asks which.
    ("department_id", "Kitchen", ["13", "14"]),
    ("department_id", "Warehouse", []),
    ("department_id", "99", []),
    ("department_id", "S" * 200, []),
    ("department_id", "", []),
    ("id", "l2", ["12"]),
    ("id", "\uff11\uff12", ["12"]),
    ("id", "1,234", ["1234"]),
    ("id", "No. 7", []),
    ("id", "1.5", []),
    ("datetime", "2O21-07-27", ["2021-07-27T00:00:00Z"]),
    ("datetime", "2021\u201307\u201327 16:02.", ["2021-07-27T16:02:00Z"]),
    ("datetime", "27/07/2021", ["2021-07-27T00:00:00Z"]),
    # It may be either, so that it asks about both.
    ("datetime", "7/11/2021", ["2021-11-07T00:00:00Z", "2021-07-11T00:00:00Z"]),
    ("datetime", "2021-02-30", []),
    ("name", " ", []),
]


def test_a_check_suggests_what_a_wrong_cell_may_have_been_meant_to_hold(
    client: FlaskClient,
) -> None:
    departments = [{"id": key, "department": name} for key, name in NAMES.items()]
    client.post("/v1/tables/departments/rows", json=departments)
    rows = [HIRE | {column: text} for column, text, _ in MEANT]
    found = errors(client, rows, MAY_SEE)
    values = [[each["value"] for each in error["suggestions"]] for error in found]
    assert values == [expected for _, _, expected in MEANT]
    names = [[each["name"] for each in error["suggestions"]] for error in found]
    assert names[1] == ["Engineering"]
    assert names[-3] == ["7 November 2021", "11 July 2021"]
    # Names are for who may see rows.
    assert errors(client, rows[:1], {})[0]["suggestions"] == []


def errors(
    client: FlaskClient, rows: list[dict[str, object]], headers: dict[str, str]
) -> list[Any]:
    answer = client.post(CHECK, json=rows, headers=headers).json
    assert answer is not None
    return cast(list[Any], answer["errors"])


def test_a_check_reads_dates_in_the_order_that_it_is_told(client: FlaskClient) -> None:
    rows = [HIRE | {"datetime": "27/07/2021"}]
    for order, wrong in (("dmy", 0), ("mdy", 1), ("iso", 1)):
        answer = client.post(f"{CHECK}?dates={order}", json=rows).json
        assert answer is not None
        assert answer["errors_total"] == wrong
    assert client.post(f"{CHECK}?dates=ymd", json=rows).status_code == 422


def test_one_of_few_values_is_suggested_and_a_check_compares_so_many_texts(suite: Suite) -> None:
    key, job = get_table("jobs").columns
    few = replace(cast(StringColumn, job), enum=("Full time", "Part time"))
    with suite.database.read() as connection:
        suggestions = Suggestions(connection, may_name=True)
        assert suggestions.find(few, "fulltime") == (Suggestion("Full time"),)
        found = [bool(suggestions.find(key, f"{number}.")) for number in range(1, 201)]
        assert found == [True] * 99 + [False] * 101
        assert suggestions.find(key, "1.")
