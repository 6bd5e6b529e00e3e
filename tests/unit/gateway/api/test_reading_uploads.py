"""GET and DELETE of uploads: one's own, or all for an administrator."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.contracts.uploads import UNFINISHED, Email, EmailState, State
from muster.stores import Stores
from tests.unit.gateway.fakes import ADMIN, ANA, BOB, CSV


def post(client: FlaskClient, who: dict[str, str], table: str = "jobs") -> str:
    answer = client.post(f"/v1/uploads?table={table}", data=b"1,a\n", headers={**who, **CSV})
    upload_id: str = answer.get_json()["id"]
    return upload_id


def listed(client: FlaskClient, who: dict[str, str], query: str = "") -> list[str]:
    answer = client.get(f"/v1/uploads{query}", headers=who)
    assert answer.status_code == 200, answer.get_json()
    return [upload["id"] for upload in answer.get_json()["uploads"]]


@pytest.mark.parametrize(
    ("verb", "rest"),
    [("get", ""), ("get", "/file"), ("get", "/rejects"), ("get", "/events"), ("delete", "")],
)
def test_a_foreign_upload_answers_as_an_absent_one(
    client: FlaskClient, verb: str, rest: str
) -> None:
    foreign = post(client, ANA)

    def ask(upload_id: str) -> tuple[int, Any]:
        answer = getattr(client, verb)(f"/v1/uploads/{upload_id}{rest}", headers=BOB)
        problem = answer.get_json()
        del problem["request_id"]
        return answer.status_code, problem

    assert ask(foreign) == ask("0" * 32)
    assert ask(foreign)[0] == 404


def test_an_administrator_sees_the_uploads_of_all(client: FlaskClient) -> None:
    of_ana, of_bob = post(client, ANA), post(client, BOB)
    assert listed(client, ADMIN) == [of_bob, of_ana]
    assert client.get(f"/v1/uploads/{of_ana}", headers=ADMIN).status_code == 200


def test_one_lists_ones_own_uploads_newest_first(client: FlaskClient) -> None:
    first, _, second = post(client, ANA), post(client, BOB), post(client, ANA)
    assert listed(client, ANA) == [second, first]


def test_the_list_can_be_narrowed_to_a_table_and_a_state(
    client: FlaskClient, stores: Stores
) -> None:
    job, department = post(client, ANA), post(client, ANA, "departments")
    stores.uploads.update(job, expect=UNFINISHED, state=State.COMPLETED)
    assert listed(client, ANA, "?table=departments") == [department]
    assert listed(client, ANA, "?state=completed") == [job]
    assert listed(client, ANA, "?state=completed&table=departments") == []


def test_pages_follow_each_other_without_gap_or_repeat(client: FlaskClient) -> None:
    ids = [post(client, ANA) for _ in range(5)]
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = client.get(f"/v1/uploads{query}", headers=ANA).get_json()
        seen += [upload["id"] for upload in page["uploads"]]
        query = f"?limit=2&cursor={page['next']}" if page["next"] else ""
        post(client, ANA)
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=+5", "limit"),
        ("state=done", "state"),
        ("table=nobody", "table"),
        ("cursor=%21", "cursor"),
        ("cursor=LTE", "cursor"),
        ("page=2", "page"),
    ],
)
def test_a_wrong_question_names_the_wrong_field(
    client: FlaskClient, query: str, field: str
) -> None:
    answer = client.get(f"/v1/uploads?{query}", headers=ANA)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]


def test_an_unfinished_upload_can_be_cancelled(client: FlaskClient, stores: Stores) -> None:
    upload_id = post(client, ANA)
    answer = client.delete(f"/v1/uploads/{upload_id}", headers=ANA)
    assert (answer.status_code, answer.get_json()["id"]) == (202, upload_id)
    assert stores.uploads.get(upload_id).cancel_requested


def test_what_became_of_the_email_stands_on_the_upload(client: FlaskClient, stores: Stores) -> None:
    upload_id = post(client, ANA)
    assert client.get(f"/v1/uploads/{upload_id}", headers=ANA).get_json()["email"] is None
    at = datetime(2026, 2, 2, 12, tzinfo=UTC)
    refused = Email(EmailState.REFUSED, at, "recipient refused: 550 no such user")
    stores.uploads.update(upload_id, expect={State.QUEUED}, state=State.COMPLETED, email=refused)
    assert client.get(f"/v1/uploads/{upload_id}", headers=ANA).get_json()["email"] == {
        "state": "refused",
        "at": "2026-02-02T12:00:00Z",
        "reason": "recipient refused: 550 no such user",
    }


def test_a_final_upload_can_not_be_cancelled(client: FlaskClient, stores: Stores) -> None:
    upload_id = post(client, ANA)
    stores.uploads.update(upload_id, expect=UNFINISHED, state=State.FAILED)
    answer = client.delete(f"/v1/uploads/{upload_id}", headers=ANA)
    assert (answer.status_code, answer.get_json()["state"]) == (409, "failed")


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/v1/uploads/x/y", 404)])
def test_unknown_paths_answer_with_a_problem(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path, headers=ANA)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_a_wrong_method_answers_with_those_that_are_right(client: FlaskClient) -> None:
    answer = client.put("/v1/uploads", headers=ANA)
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "POST" in answer.headers["Allow"]
