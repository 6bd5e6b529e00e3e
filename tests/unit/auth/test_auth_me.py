"""GET /v1/me and POST /v1/me/password."""

import pytest

from tests.unit.auth.suite import PASSWORD, AuthSuite

NEW = "another password"


def test_me_shows_the_user_of_the_token(suite: AuthSuite) -> None:
    answer = suite.call("GET", "/v1/me", token=suite.token_of(suite.ana))
    assert answer.json == {
        "id": suite.ana.id,
        "email": "Ana@Example.com",
        "permissions": ["uploads:read", "uploads:write"],
        "disabled": False,
        "emails": "each",
    }


@pytest.mark.parametrize("choice", ["digest", "problems", "none", "each"])
def test_users_choose_their_emails_and_stay_logged_in(suite: AuthSuite, choice: str) -> None:
    token = suite.token_of(suite.ana)
    answer = suite.call("PATCH", "/v1/me", {"emails": choice}, token=token)
    assert answer.status_code == 200
    assert answer.json == suite.call("GET", "/v1/me", token=token).json
    assert answer.json is not None
    assert answer.json["emails"] == choice
    asked = suite.app.test_client().get(f"/v1/email-choices/{suite.ana.id}")
    assert asked.json == {"emails": choice}
    other = suite.app.test_client().get(f"/v1/email-choices/{suite.admin.id}")
    assert other.json == {"emails": "each"}


def test_a_choice_of_emails_stays_when_the_user_changes(suite: AuthSuite) -> None:
    suite.call("PATCH", "/v1/me", {"emails": "none"}, token=suite.token_of(suite.ana))
    path = f"/v1/users/{suite.ana.id}"
    assert suite.call("PATCH", path, {"permissions": ["uploads:read"]}).status_code == 200
    assert suite.app.test_client().get(f"/v1/email-choices/{suite.ana.id}").json == {
        "emails": "none"
    }


@pytest.mark.parametrize("body", [{"emails": "all"}, {"emails": None}, {}, {"email": "a@b.c"}, []])
def test_another_choice_of_emails_changes_nothing(suite: AuthSuite, body: object) -> None:
    token = suite.token_of(suite.ana)
    answer = suite.call("PATCH", "/v1/me", body, token=token)
    assert answer.status_code == 422
    assert suite.call("GET", "/v1/me", token=token).json["emails"] == "each"  # type: ignore[index]


def test_whoever_is_not_there_gets_each_email(suite: AuthSuite) -> None:
    # Of a user who is deleted; and nobody learns from it which ids there are.
    answer = suite.app.test_client().get("/v1/email-choices/nobody")
    assert (answer.status_code, answer.json) == (200, {"emails": "each"})


def test_nobody_sets_their_own_password_without_the_old_one(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.admin.id}"
    answer = suite.call("PATCH", path, {"password": NEW})
    assert answer.status_code == 422
    assert "POST /v1/me/password" in answer.text
    assert suite.log_in("admin@example.com").status_code == 200
    more = {"permissions": ["users:admin", "rows:write"]}
    assert suite.call("PATCH", path, more).status_code == 200


def test_a_user_changes_their_password_and_their_tokens_end(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert suite.call("POST", "/v1/me/password", body, token=token).status_code == 204
    assert suite.call("GET", "/v1/me", token=token).status_code == 401
    assert suite.log_in("ana@example.com").status_code == 401
    assert suite.log_in("ana@example.com", NEW).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong password", NEW, "current_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "x" * 1025, "new_password"),
        (PASSWORD, "line\nbreak", "new_password"),
    ],
)
def test_a_weak_or_wrong_password_changes_nothing(
    suite: AuthSuite, current: str, new: str, field: str
) -> None:
    token = suite.token_of(suite.ana)
    body = {"current_password": current, "new_password": new}
    answer = suite.call("POST", "/v1/me/password", body, token=token)
    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert suite.call("GET", "/v1/me", token=token).status_code == 200
    assert suite.log_in("ana@example.com").status_code == 200


def test_wrong_current_passwords_are_limited_as_logins_are(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    body = {"current_password": "wrong password", "new_password": NEW}
    for _ in range(10):
        assert suite.call("POST", "/v1/me/password", body, token=token).status_code == 422
    assert suite.call("POST", "/v1/me/password", body, token=token).status_code == 429
    assert suite.log_in("ana@example.com").status_code == 429


def test_a_user_without_permissions_may_still_ask_who_they_are(suite: AuthSuite) -> None:
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"permissions": []})
    answer = suite.log_in("ana@example.com", headers={"Accept": "text/plain"})
    assert suite.call("GET", "/v1/me", token=answer.text).status_code == 200
