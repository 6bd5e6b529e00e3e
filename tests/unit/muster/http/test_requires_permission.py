"""Views are guarded by a valid token and a permission, before the body is touched."""

from io import BytesIO

import pytest
from flask import Flask, g
from werkzeug.test import TestResponse

from muster.http.service import Health, install_service
from muster.http.tokens import InvalidToken, KeysUnavailable, Principal, authenticate_with, requires


def verify(token: str) -> Principal:
    if token == "keyless":
        raise KeysUnavailable
    if token == "forged":
        raise InvalidToken("signature")
    return Principal("user-1", "ana@example.com", frozenset(token.split(",")), 1, token, 1)


@pytest.fixture
def app() -> Flask:
    app = Flask("guarded")
    install_service(app, "guarded", Health())
    authenticate_with(app, verify)

    @app.post("/rows")
    @requires("rows:write", "uploads:admin")
    def rows() -> str:
        return str(g.principal.email)

    @app.post("/me")
    @requires()
    def me() -> str:
        return str(g.principal.id)

    return app


def post(app: Flask, path: str, authorization: str | None) -> TestResponse:
    headers = {} if authorization is None else {"Authorization": authorization}
    return app.test_client().post(path, headers=headers)


@pytest.mark.parametrize("permission", ["rows:write", "uploads:admin"])
def test_one_of_the_permissions_is_enough(app: Flask, permission: str) -> None:
    answer = post(app, "/rows", f"Bearer queries:read,{permission}")
    assert (answer.status_code, answer.text) == (200, "ana@example.com")


def test_the_scheme_is_caseless(app: Flask) -> None:
    assert post(app, "/rows", "bearer rows:write").status_code == 200


def test_a_view_without_permissions_takes_any_valid_token(app: Flask) -> None:
    assert post(app, "/me", "Bearer queries:read").text == "user-1"
    assert post(app, "/me", None).status_code == 401


def test_without_the_permission_the_answer_names_it(app: Flask) -> None:
    answer = post(app, "/rows", "Bearer queries:read")
    assert answer.status_code == 403
    assert "rows:write or uploads:admin" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "rows:write", "Bearer forged"]
)
def test_without_a_valid_token_the_answer_is_a_challenge(
    app: Flask, authorization: str | None
) -> None:
    answer = post(app, "/rows", authorization)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_without_the_keys_no_token_can_be_checked_now(app: Flask) -> None:
    answer = post(app, "/rows", "Bearer keyless")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


class UntouchedBody(BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("authorization", [None, "Bearer forged", "Bearer queries:read"])
def test_the_body_of_a_refused_request_is_not_read(app: Flask, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    body = UntouchedBody(b"{}")
    answer = app.test_client().post("/rows", headers=headers, input_stream=body)
    assert answer.status_code in {401, 403}
    assert body.tell() == 0
