"""/v1/users and /v1/users/{id}, for users:admin."""

from typing import Any

import pytest

from tests.unit.auth.suite import PASSWORD, AuthSuite

BEA = {"email": "bea@example.com", "password": PASSWORD, "permissions": ["queries:read"]}


def fields_of(answer: Any) -> list[str]:
    return [error["field"] for error in answer.json["errors"]]


def test_a_user_is_added_and_found_at_its_location(suite: AuthSuite) -> None:
    answer = suite.call("POST", "/v1/users", BEA)
    assert answer.status_code == 201
    found = suite.call("GET", answer.headers["Location"])
    assert found.json == answer.json
    assert found.json is not None
    assert found.json["email"] == "bea@example.com"
    assert found.json["permissions"] == ["queries:read"]
    assert suite.log_in("bea@example.com").status_code == 200


def test_users_are_listed_by_email_without_secrets(suite: AuthSuite) -> None:
    suite.call("POST", "/v1/users", BEA)
    answer = suite.call("GET", "/v1/users")
    assert answer.json is not None
    emails = [user["email"] for user in answer.json["users"]]
    assert emails == ["admin@example.com", "Ana@Example.com", "bea@example.com"]
    assert {key for user in answer.json["users"] for key in user} == {
        *("id", "email", "permissions", "disabled")
    }


@pytest.mark.parametrize("email", ["ana@example.com", "ANA@EXAMPLE.COM", "Ana@Example.com"])
def test_an_email_is_taken_in_every_case(suite: AuthSuite, email: str) -> None:
    answer = suite.call("POST", "/v1/users", BEA | {"email": email})
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("email", email) for email in ("ana", "a@b@c", "a b@c.d", "@c.d", "a@", "", 7, None)),
        ("email", "ana@example.com\n"),
        ("email", "ana@example.com\r\nBcc: eve@example.com"),
        ("email", "ana\u0000@example.com"),
        ("email", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}"),
        ("password", "seven77"),
        ("password", "x" * 1025),
        ("password", "control\u0007character"),
        ("password", None),
        ("permissions", ["users:admin", "root"]),
        ("permissions", "users:admin"),
        ("permissions", None),
        ("generation", 9),
    ],
)
def test_bad_input_is_told_field_by_field(suite: AuthSuite, field: str, value: object) -> None:
    answer = suite.call("POST", "/v1/users", BEA | {field: value})
    assert answer.status_code == 422
    assert fields_of(answer) == [field]


@pytest.mark.parametrize("length", [12, 1024])
def test_passwords_of_the_least_and_the_greatest_length_work(suite: AuthSuite, length: int) -> None:
    password = ("x7!kQ2v$9zLé" * 86)[:length]
    suite.call("POST", "/v1/users", BEA | {"password": password})
    assert suite.log_in("bea@example.com", password).status_code == 200


def test_what_is_missing_is_told(suite: AuthSuite) -> None:
    answer = suite.call("POST", "/v1/users", {})
    assert answer.status_code == 422
    assert fields_of(answer) == ["email", "password"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"email": "\\ud800"}'])
def test_what_is_no_json_object_is_refused(suite: AuthSuite, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {suite.token_of(suite.admin)}"}
    answer = suite.app.test_client().post("/v1/users", data=body, headers=headers)
    assert answer.status_code == 422
    assert fields_of(answer) == ["body"]


def test_a_body_of_megabytes_is_refused(suite: AuthSuite) -> None:
    answer = suite.call("POST", "/v1/users", BEA | {"email": "a" * 1_000_000})
    assert answer.status_code == 413


def test_a_change_keeps_what_it_does_not_name(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.ana.id}"
    answer = suite.call("PATCH", path, {"permissions": ["rows:write"]})
    assert answer.status_code == 200
    assert answer.json == suite.ana.to_json() | {"permissions": ["rows:write"]}
    assert suite.call("GET", path).json == answer.json
    assert suite.log_in("ana@example.com").status_code == 200


def test_an_administrator_sets_another_password(suite: AuthSuite) -> None:
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"password": "another password"})
    assert suite.log_in("ana@example.com").status_code == 401
    assert suite.log_in("ana@example.com", "another password").status_code == 200


def test_an_enabled_user_logs_in_again(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"disabled": True})
    suite.call("PATCH", path, {"disabled": False})
    answer = suite.log_in("ana@example.com", headers={"Accept": "text/plain"})
    assert suite.call("GET", "/v1/me", token=answer.text).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"disabled": "yes"}, "disabled"),
        ({"disabled": None}, "disabled"),
        ({"permissions": None}, "permissions"),
        ({"password": "short"}, "password"),
        ({"email": "other@example.com"}, "email"),
    ],
)
def test_a_bad_change_is_refused(suite: AuthSuite, change: dict[str, Any], field: str) -> None:
    answer = suite.call("PATCH", f"/v1/users/{suite.ana.id}", change)
    assert answer.status_code == 422
    assert fields_of(answer) == [field]


def test_a_change_of_nothing_keeps_the_tokens(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    change = {"disabled": False, "permissions": ["uploads:read", "uploads:write"]}
    assert suite.call("PATCH", f"/v1/users/{suite.ana.id}", change).status_code == 200
    assert suite.call("GET", "/v1/me", token=token).status_code == 200


def test_a_deleted_user_is_gone_and_the_email_free(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.ana.id}"
    answer = suite.call("DELETE", path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert suite.call("GET", path).status_code == 404
    assert suite.log_in("ana@example.com").status_code == 401
    assert suite.call("POST", "/v1/users", BEA | {"email": "ana@example.com"}).status_code == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_user_is_not_found(suite: AuthSuite, method: str) -> None:
    assert suite.call(method, "/v1/users/unknown", {}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/users"),
        ("POST", "/v1/users"),
        ("GET", "/v1/users/{id}"),
        ("PATCH", "/v1/users/{id}"),
        ("DELETE", "/v1/users/{id}"),
    ],
)
def test_only_users_admin_manages_users(suite: AuthSuite, method: str, path: str) -> None:
    own = path.format(id=suite.ana.id)
    answer = suite.call(method, own, {}, token=suite.token_of(suite.ana))
    assert answer.status_code == 403
