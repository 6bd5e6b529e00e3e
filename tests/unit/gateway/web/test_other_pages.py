"""The pages that other services answer for: users, my account, tables and the hiring questions."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.web.session import COOKIE
from gateway.web.wording import PERMISSIONS as MEANINGS
from muster.http.tokens import PERMISSIONS
from muster.stores import Stores
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.web.forms import form_id

HERE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<img src=x onerror=alert(1)>\"'\u202e"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;\u202e"
USER = {"id": "u1", "email": HOSTILE, "permissions": ["queries:read"], "disabled": False}


def problem(status: int, detail: str, **more: Any) -> tuple[int, object]:
    return status, {"type": "/docs/errors#x", "title": "X", "detail": detail, **more}


@pytest.fixture
def browser(client: FlaskClient) -> FlaskClient:
    client.set_cookie(COOKIE, "ana+users:admin+queries:read+uploads:write")
    return client


def asked(behind: Behind, verb: str) -> list[tuple[str, Any]]:
    return [
        (path, json.loads(body) if body else None)
        for asked_verb, path, _, body in behind.asked
        if asked_verb == verb
    ]


def test_every_permission_has_words() -> None:
    assert list(MEANINGS) == list(PERMISSIONS)


def test_users_are_listed_as_text(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["GET /v1/users"] = (
        200,
        {"users": [USER, {**USER, "id": "u2", "disabled": True}]},
    )
    text = browser.get("/users").text
    assert text.count(f"<bdi>{ESCAPED}</bdi>") == 2
    assert HOSTILE not in text
    assert text.count("Active") == text.count("Disabled</span>") == 1


def test_a_user_is_added_with_what_was_ticked(browser: FlaskClient, behind: Behind) -> None:
    form = {
        "email": " bob@example.com ",
        "password": "correct horse",
        "permission": ["queries:read"],
    }
    behind.answers["POST /v1/users"] = (201, USER)
    assert browser.post("/users", data=form, headers=HERE).location == "/users#user-u1"
    new = {"email": "bob@example.com", "password": "correct horse", "permissions": ["queries:read"]}
    assert asked(behind, "POST") == [("/v1/users", new)]


def test_a_refused_user_is_shown_with_what_is_wrong(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["GET /v1/users"] = (200, {"users": []})
    errors = [{"field": "password", "message": "12 characters at least"}]
    behind.answers["POST /v1/users"] = problem(422, "password", errors=errors)
    answer = browser.post("/users", data={"email": "bob@example.com"}, headers=HERE)
    assert answer.status_code == 422
    assert "12 characters at least" in answer.text
    assert 'value="bob@example.com"' in answer.text


def test_a_user_is_changed(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["PATCH /v1/users/u1"] = (200, USER)
    form = {"permission": ["uploads:write", "queries:read"], "disabled": "yes", "password": ""}
    assert browser.post("/users/u1", data=form, headers=HERE).location == "/users#user-u1"
    changes = {"permissions": ["uploads:write", "queries:read"], "disabled": True}
    assert asked(behind, "PATCH") == [("/v1/users/u1", changes)]


def test_a_password_is_only_sent_where_one_is_given(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["PATCH /v1/users/u1"] = (200, USER)
    browser.post("/users/u1", data={"password": "correct horse"}, headers=HERE)
    ((_, changes),) = asked(behind, "PATCH")
    assert changes["password"] == "correct horse"


@pytest.mark.parametrize(("verb", "path"), [("PATCH", "/users/u1"), ("DELETE", "/users/u1/delete")])
def test_the_last_administrator_stays(
    browser: FlaskClient, behind: Behind, verb: str, path: str
) -> None:
    behind.answers["GET /v1/users/u1"] = (200, USER)
    behind.answers[f"{verb} /v1/users/u1"] = problem(409, "Nobody could manage users any more.")
    answer = browser.post(path, headers=HERE)
    assert answer.status_code == 409
    assert "Nobody could manage users any more." in answer.text


def test_an_id_does_not_become_another_path(browser: FlaskClient, behind: Behind) -> None:
    assert browser.get("/users/..%2Fme").status_code == 404
    assert browser.get("/users/a%3Fb").status_code == 404
    assert behind.asked == []


def test_another_password_keeps_me_signed_in(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["POST /v1/me/password"] = (204, None)
    behind.answers["POST /v1/login"] = (200, {"access_token": "ana+new", "expires_in": 60})
    form = dict.fromkeys(("new_password", "new_password_again"), "correct horse")
    answer = browser.post(
        "/account/password", data={**form, "current_password": "old"}, headers=HERE
    )
    assert "Your password is changed" in answer.text
    assert f"{COOKIE}=ana+new" in answer.headers["Set-Cookie"]
    change = {"current_password": "old", "new_password": "correct horse"}
    assert asked(behind, "POST")[0] == ("/v1/me/password", change)


def test_two_different_new_passwords_change_nothing(browser: FlaskClient, behind: Behind) -> None:
    form = {"new_password": "correct horse", "new_password_again": "12345679"}
    assert browser.post("/account/password", data=form, headers=HERE).status_code == 422
    assert behind.asked == []


def test_i_choose_which_emails_i_get(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["GET /v1/me"] = (200, {"emails": "digest"})
    text = browser.get("/account/emails").text
    assert re.findall(r'value="(\w+)" required( checked)?', text) == [
        *(("each", ""), ("digest", " checked"), ("problems", ""), ("none", "")),
    ]
    behind.answers["PATCH /v1/me"] = (200, {"emails": "none"})
    answer = browser.post("/account/emails", data={"emails": "none"}, headers=HERE)
    assert "Saved." in answer.text
    assert 'value="none" required checked' in answer.text
    assert asked(behind, "PATCH") == [("/v1/me", {"emails": "none"})]


def test_another_choice_is_complained_about(browser: FlaskClient, behind: Behind) -> None:
    errors = [{"field": "emails", "message": "Not one of them."}]
    refusal = {
        "type": "about:invalid-request",
        "title": "Invalid request",
        "detail": "x",
        "errors": errors,
    }
    behind.answers["PATCH /v1/me"] = (422, refusal)
    answer = browser.post("/account/emails", data={"emails": "some"}, headers=HERE)
    assert answer.status_code == 422
    assert "Not one of them." in answer.text


def test_rows_of_a_table_are_browsed(browser: FlaskClient, behind: Behind) -> None:
    rows = [{"id": 7, "job": HOSTILE}]
    behind.answers["GET /v1/tables/jobs/rows"] = (200, {"rows": rows, "next": "a/b"})
    text = browser.get("/tables/jobs").text
    assert f"<bdi>{ESCAPED}</bdi>" in text
    assert 'href="/tables/jobs?cursor=a/b"' in text
    browser.get("/tables/jobs?cursor=a/b")
    assert behind.asked[1][1] == "/v1/tables/jobs/rows?limit=50&names=true&cursor=a%2Fb"


def test_rows_are_searched_with_names_beside_ids(browser: FlaskClient, behind: Behind) -> None:
    hire = {"id": 7, "name": "Ana", "datetime": "2021-11-07T02:48:42Z", "department_id": 5}
    names = {"department_id": {"5": HOSTILE}, "job_id": {"9": "Cook"}}
    page = {"rows": [{**hire, "job_id": 9}], "next": "a", "names": names}
    behind.answers |= {
        "GET /v1/tables/hired_employees/rows": (200, {**page, "count": 10_000, "count_capped": 1}),
        "GET /v1/tables/departments/rows": (200, {"rows": [{"id": 5, "department": HOSTILE}]}),
        "GET /v1/tables/jobs/rows": (200, {"rows": [{"id": 9, "job": "Cook"}] * 301}),
    }
    text = browser.get("/tables/hired_employees?search=an&department_id=5&sort=-job_id&x=y").text
    assert HOSTILE not in text
    assert f"<bdi>{ESCAPED}</bdi>" in text
    told = words(text)
    assert "More than 10,000 rows" in told
    assert "Cook 9" in told
    # Too many to choose from.
    assert "Job number" in told
    wanted = "search=an&sort=-job_id&department_id=5"
    assert behind.asked[0][1] == (f"/v1/tables/hired_employees/rows?{wanted}&limit=50&names=true")
    assert f'href="/tables/hired_employees/rows.csv?{wanted.replace("&", "&amp;")}"' in text
    for link in (f"{wanted}&cursor=a", "search=an&department_id=5&sort=job_id"):
        assert f'href="/tables/hired_employees?{link.replace("&", "&amp;")}"' in text


def test_what_is_shown_is_downloaded_for_a_spreadsheet(
    browser: FlaskClient, behind: Behind
) -> None:
    behind.headers["Content-Type"] = "text/csv"
    behind.body = 'id,job\r\n7,=1+1\r\n8,"Chef\nde rang"\r\n9,Zoë'.encode()
    answer = browser.get("/tables/jobs/rows.csv?search=c&sort=-id")
    assert answer.text == 'id,job\r\n7,\'=1+1\r\n8,"Chef\nde rang"\r\n9,Zoë\r\n'
    assert "jobs.csv" in answer.headers["Content-Disposition"]
    [(_, path, headers, _)] = behind.asked
    assert path == "/v1/tables/jobs/rows?search=c&sort=-id&names=true"
    assert headers["Accept"] == "text/csv"
    behind.status = 503
    assert browser.get("/tables/jobs/rows.csv").status_code == 503


def test_an_empty_table_says_what_to_do_first(browser: FlaskClient, behind: Behind) -> None:
    for table in ("hired_employees", "departments", "jobs"):
        behind.answers[f"GET /v1/tables/{table}/rows"] = (200, {"rows": [], "next": None})
    assert "after those for departments and jobs" in browser.get("/tables/hired_employees").text
    assert browser.get("/tables/nothing").status_code == 404


def hires(behind: Behind) -> None:
    rows = [
        {"department": HOSTILE, "job": f"Job {n}", "q1": n, "q2": 0, "q3": 1, "q4": 1}
        for n in range(1, 151)
    ]
    above = {"year": 2021, "mean": 2.5, "rows": [{"id": 1, "department": HOSTILE, "hired": 5}]}
    behind.answers |= {
        "GET /v1/queries/years": (200, {"years": [2020, 2021]}),
        "GET /v1/queries/hires-by-quarter": (200, {"year": 2021, "rows": rows}),
        "GET /v1/queries/departments-above-mean": (200, above),
    }


def test_the_questions_are_asked_about_the_last_year_with_hires(
    browser: FlaskClient, behind: Behind
) -> None:
    hires(behind)
    text = browser.get("/questions").text
    assert HOSTILE not in text
    assert "Hiring in 2021" in text
    assert "Rows 1 to 100 of 150" in text
    assert "/v1/queries/hires-by-quarter?year=2021" in [path for path, _ in asked(behind, "GET")]
    assert "Rows 101 to 150 of 150" in browser.get("/questions?year=2021&from=100").text


def test_a_year_of_which_the_end_is_missing_is_not_the_first_to_be_shown(
    browser: FlaskClient, behind: Behind
) -> None:
    hires(behind)
    row = {"department": HOSTILE, "job": "Cook", "q1": 3, "q2": 0, "q3": 0, "q4": 0}
    behind.answers["GET /v1/queries/hires-by-quarter"] = (200, {"year": 2020, "rows": [row]})
    browser.get("/questions")
    paths = [path for path, _ in asked(behind, "GET")]
    assert [path[-4:] for path in paths if "by-quarter" in path] == ["2021", "2020"]


def test_lines_over_time_have_their_numbers_and_jobs_are_searched(
    browser: FlaskClient, behind: Behind
) -> None:
    hires(behind)
    text = browser.get("/questions?year=2021&job=JOB%201").text
    assert "<polyline points=" in text
    told = words(text)
    assert "from Q1 2020 to Q4 2021" in told
    assert "Q3 2021" in told
    # Job 1, those from 10 to 19, and those from 100 to 150.
    assert "Rows 1 to 62 of 62" in told
    assert "Nobody was hired for such a job" in browser.get("/questions?year=2021&job=x").text


def test_a_department_without_hires_has_no_rows(browser: FlaskClient, behind: Behind) -> None:
    hires(behind)
    assert "Nobody was hired there" in browser.get("/questions?year=2021&department=x").text


def test_without_hires_the_page_says_what_to_do_first(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["GET /v1/queries/years"] = (200, {"years": []})
    assert "Nobody was hired yet" in browser.get("/questions").text


def test_an_answer_is_downloaded_as_csv(browser: FlaskClient, behind: Behind) -> None:
    behind.headers["Content-Type"] = "text/csv"
    behind.body = b"id,department,hired\r\n1,=1+1,5\r\n"
    answer = browser.get("/questions/departments-above-mean.csv?year=2021")
    assert answer.data == b"id,department,hired\r\n1,'=1+1,5\r\n"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=departments-above-mean-2021.csv"
    assert behind.asked[0][2]["Accept"] == "text/csv"


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/users", "users:admin"),
        ("/users/u1", "users:admin"),
        ("/tables", "queries:read"),
        ("/tables/jobs", "queries:read"),
        ("/tables/jobs/7", "queries:read"),
        ("/questions", "queries:read"),
        ("/questions/hires-by-quarter.csv?year=2021", "queries:read"),
        ("/uploads/u1", "uploads:read"),
    ],
)
def test_a_page_needs_its_permission(client: FlaskClient, path: str, permission: str) -> None:
    every = {"uploads:write", "rows:write", "uploads:read", "queries:read", "users:admin"}
    client.set_cookie(COOKIE, "+".join(["ana", *sorted(every - {permission})]))
    answer = client.get(path)
    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert f"needs the permission to {MEANINGS[permission]}" in answer.text


def test_a_service_that_is_away_is_said_on_a_page(browser: FlaskClient, behind: Behind) -> None:
    behind.answers["GET /v1/users"] = problem(503, "The database does not answer now; try again.")
    answer = browser.get("/users")
    assert answer.status_code == 503
    assert "Try again" in answer.text


def a_change(kind: str, effect: str, **more: Any) -> dict[str, Any]:
    known = {"change": 7, "upload": None, "at": "2021-11-07T02:48:42.5Z", "by": None, "line": None}
    unknown = {"no_line": None, "before": None, "forgotten": None}
    return {**known, **unknown, "kind": kind, "effect": effect, **more}


def a_row(behind: Behind, row: object, *changes: object, next: str | None = None) -> None:
    missing = problem(404, "jobs has no row with the id 7.")
    behind.answers["GET /v1/tables/jobs/rows/7"] = missing if row is None else (200, row)
    page = {"changes": changes, "next": next}
    behind.answers["GET /v1/tables/jobs/rows/7/history"] = (200, page)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<main")[2]).split())


def test_a_row_of_a_table_leads_to_its_history(browser: FlaskClient, behind: Behind) -> None:
    rows = [{"id": 7, "job": "Cook"}]
    behind.answers["GET /v1/tables/jobs/rows"] = (200, {"rows": rows, "next": None})
    assert 'href="/tables/jobs/7"' in browser.get("/tables/jobs").text
    assert browser.get("/tables/jobs?key=7").location == "/tables/jobs/7"
    assert browser.get("/tables/jobs?key=x").status_code == 422


def test_a_row_is_shown_with_what_changed_it(browser: FlaskClient, behind: Behind) -> None:
    updated = a_change("upload", "updated", upload="u2", by="ana@example.com", line=1012)
    inserted = a_change("upload", "inserted")
    a_row(
        behind, {"id": 7, "job": HOSTILE}, {**updated, "before": {"id": 7, "job": "Cook"}}, inserted
    )
    text = browser.get("/tables/jobs/7").text
    assert HOSTILE not in text
    assert 'href="/uploads/u2"' in text
    told = words(text)
    assert "Changed by an upload 2021-11-07 02:48:42 UTC by ana@example.com" in told
    assert "line 1,012 of its file Job Cook → became" in told
    assert "Added by an upload 2021-11-07 02:48:42 UTC by another user Id 7 Job Cook" in told
    assert "Id 7 → became" not in told


def test_a_row_that_is_gone_still_has_a_history(browser: FlaskClient, behind: Behind) -> None:
    a_row(behind, None, a_change("undo", "removed", before={"id": 7, "job": "Cook"}))
    told = words(browser.get("/tables/jobs/7").text)
    assert "This row is no longer in the table." in told
    assert "Removed by an undo" in told
    assert "Job was Cook" in told


def test_values_that_are_no_longer_kept_are_not_made_up(
    browser: FlaskClient, behind: Behind
) -> None:
    expired = a_change("batch", "updated", forgotten="expired")
    erased = a_change("upload", "updated", upload="u1", no_line="removed", forgotten="erased")
    a_row(behind, {"id": 7, "job": "Cook"}, expired, erased)
    told = words(browser.get("/tables/jobs/7").text)
    assert "Changed by a program" in told
    assert "What it was before is no longer kept. Id 7 Job Cook" in told
    assert "its file is no longer kept What it was before was erased." in told


def test_a_row_that_was_never_there_is_not_found(browser: FlaskClient, behind: Behind) -> None:
    a_row(behind, None)
    answer = browser.get("/tables/jobs/7")
    assert answer.status_code == 404
    assert "Jobs has no row with the id 7, and had none." in answer.text


def test_a_history_has_pages(browser: FlaskClient, behind: Behind) -> None:
    older = a_change("batch", "updated", before={"id": 7, "job": "Baker"})
    a_row(behind, {"id": 7, "job": "Cook"}, older, next="3")
    assert 'href="/tables/jobs/7?cursor=3#history-title"' in browser.get("/tables/jobs/7").text
    told = words(browser.get("/tables/jobs/7?cursor=9").text)
    # After it the row was as the page before says.
    assert "Id was 7 Job was Baker" in told
    assert "Latest changes" in told
    assert ("/v1/tables/jobs/rows/7/history?limit=20&cursor=9", None) in asked(behind, "GET")


def test_a_row_is_shown_while_its_history_is_away(browser: FlaskClient, behind: Behind) -> None:
    a_row(behind, {"id": 7, "job": "Cook"})
    away = problem(503, "The employment database does not answer now.")
    behind.answers["GET /v1/tables/jobs/rows/7/history"] = away
    answer = browser.get("/tables/jobs/7")
    assert answer.status_code == 200
    assert "Job Cook" in words(answer.text)
    assert "The history can't be shown just now." in answer.text


def test_a_row_without_changes_says_why(browser: FlaskClient, behind: Behind) -> None:
    a_row(behind, {"id": 7, "job": "Cook"})
    assert "Nothing has changed this row since" in browser.get("/tables/jobs/7").text


def test_a_row_is_erased_by_who_may_and_means_it(
    client: FlaskClient, behind: Behind, stores: Stores
) -> None:
    a_row(behind, {"id": 7, "job": "Cook"})
    client.set_cookie(COOKIE, "ana+queries:read")
    assert "Erase" not in client.get("/tables/jobs/7").text
    assert client.post("/tables/jobs/7/erase", headers=HERE).status_code == 403
    client.set_cookie(COOKIE, "ana+queries:read+rows:erase+uploads:read")
    assert "no undo brings the row back" in client.get("/tables/jobs/7").text
    behind.answers["GET /v1/tables/jobs/rows/7/erasure"] = (204, None)
    behind.answers["PUT /v1/tables/jobs/rows/7/erasure"] = (204, None)
    assert client.post("/tables/jobs/7/erase", headers=HERE).location == "/tables/jobs/7"
    answer = client.post("/tables/jobs/7/erase", data={"sure": "yes"}, headers=HERE)
    (erasure,) = stores.uploads.find(owner="ana", state=None, table=None, before=None, limit=9)
    assert answer.location == f"/uploads/{erasure.id}"
    assert (erasure.kind, erasure.erases) == ("erasure", 7)
    text = client.get(f"/uploads/{erasure.id}").text
    assert "Erasure: Jobs, row 7" in text
    assert "Rows read" not in text


def test_a_row_to_which_others_refer_is_not_erased(client: FlaskClient, behind: Behind) -> None:
    a_row(behind, {"id": 7, "job": "Cook"})
    client.set_cookie(COOKIE, "ana+queries:read+rows:erase")
    referred = problem(409, "hired_employees 3 refers to it.")
    behind.answers["GET /v1/tables/jobs/rows/7/erasure"] = referred
    answer = client.post("/tables/jobs/7/erase", data={"sure": "yes"}, headers=HERE)
    assert answer.status_code == 409
    assert "hired employees 3 refers to it." in answer.text


def test_a_template_names_the_columns_of_its_table(browser: FlaskClient) -> None:
    answer = browser.get("/templates/jobs.csv")
    assert answer.data.decode() == "\ufeffid,job\r\n"
    assert answer.headers["Content-Disposition"] == "attachment; filename=jobs.csv"
    assert browser.get("/templates/nobody.csv").status_code == 404
    browser.set_cookie(COOKIE, "ana+queries:read")
    assert browser.get("/templates/jobs.csv").status_code == 403


def test_a_key_is_made_once_by_a_form_sent_twice_and_shown_once(
    browser: FlaskClient, behind: Behind
) -> None:
    key = {
        "id": "a" * 32,
        "name": HOSTILE,
        "permissions": ["queries:read"],
        "created_at": "2021-11-07T02:48:42Z",
        "expires_at": "2099-11-07T02:48:42Z",
        "last_used_at": None,
    }
    behind.answers["POST /v1/keys"] = (201, {**key, "key": "muster_s3cret"})
    behind.answers["GET /v1/keys"] = (200, {"keys": [key]})
    form = {"name": "x", "form": form_id(browser.get("/account/keys"))}
    answer = browser.post("/account/keys", data=form, headers=HERE)
    assert (answer.status_code, answer.location) == (303, "/account/keys")
    assert "muster_s3cret" in browser.get("/account/keys").text
    again = browser.post("/account/keys", data=form, headers=HERE)
    assert (again.status_code, "make another" in again.text) == (409, True)
    assert form_id(again) != form["form"]
    assert "muster_s3cret" not in again.text
    assert len(asked(behind, "POST")) == 1
