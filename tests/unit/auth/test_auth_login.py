"""POST /v1/login."""

import jwt
import pytest
from prometheus_client import REGISTRY

from auth.settings import Settings
from muster.observability.logs import configure_logging
from tests.unit.auth.suite import PASSWORD, AuthSuite


def test_the_right_password_gets_a_token(suite: AuthSuite) -> None:
    answer = suite.log_in("Ana@Example.com")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json.keys() == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["Cache-Control"] == "no-store"
    me = suite.call("GET", "/v1/me", token=answer.json["access_token"])
    assert me.json is not None
    assert me.json["email"] == "Ana@Example.com"


def test_the_token_says_what_the_other_services_need(suite: AuthSuite) -> None:
    token = suite.log_in("ana@example.com", headers={"Accept": "text/plain"}).text
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {
        *("iss", "aud", "sub", "iat", "exp", "jti"),
        *("email", "permissions", "generation"),
    }
    assert (claims["iss"], claims["aud"]) == ("muster-auth", "muster")
    assert claims["sub"] == suite.ana.id
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["permissions"] == ["uploads:read", "uploads:write"]


def test_plain_text_is_the_bare_token(suite: AuthSuite) -> None:
    answer = suite.log_in("ana@example.com", headers={"Accept": "text/plain"})
    assert answer.mimetype == "text/plain"
    assert suite.call("GET", "/v1/me", token=answer.text).status_code == 200


def test_a_token_in_another_form_is_refused_before_the_password_is_looked_at(
    suite: AuthSuite,
) -> None:
    answer = suite.log_in("ana@example.com", "wrong", headers={"Accept": "text/csv"})
    assert answer.status_code == 406
    assert answer.json is not None
    assert answer.json["detail"] == "The answer comes as application/json or text/plain."


@pytest.mark.parametrize("email", ["ANA@EXAMPLE.COM", " ana@example.com ", "ana@example.com"])
def test_the_email_may_be_written_in_any_case(suite: AuthSuite, email: str) -> None:
    assert suite.log_in(email).status_code == 200


def test_the_same_password_composed_otherwise_is_the_same(suite: AuthSuite) -> None:
    composed, decomposed = "contrase\u00f1a segura", "contrasen\u0303a segura"
    user = {"email": "eva@example.com", "password": composed, "permissions": []}
    suite.call("POST", "/v1/users", user)
    assert suite.log_in("eva@example.com", decomposed).status_code == 200


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("ana@example.com", ""),
        ("", ""),
        ("ana@example.com", PASSWORD.upper()),
        ("ana@example.com", "x" * 4000),
    ],
)
def test_wrong_credentials_are_all_answered_alike(
    suite: AuthSuite, email: str, password: str
) -> None:
    answer = suite.log_in(email, password)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="muster", charset="UTF-8"'
    assert answer.json is not None
    assert answer.json["detail"] == "The email or the password is wrong."


def test_a_disabled_user_is_answered_like_a_wrong_password(suite: AuthSuite) -> None:
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"disabled": True})
    answer = suite.log_in("ana@example.com")
    assert answer.status_code == 401
    assert answer.json is not None
    assert answer.json["detail"] == "The email or the password is wrong."


@pytest.mark.parametrize("header", [None, "Basic", "Basic !!!", "Basic /w==", "Bearer abc"])
def test_credentials_that_can_not_be_read_are_refused(suite: AuthSuite, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = suite.app.test_client().post("/v1/login", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_passwords_and_tokens_are_not_logged(
    suite: AuthSuite, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging("auth", settings.log_level)
    answer = suite.log_in("ana@example.com")
    suite.log_in("ana@example.com", "not-the-password")
    suite.call("POST", "/v1/users", {"email": "bad", "password": "short-secret\n"})
    assert answer.json is not None
    logged = "".join(capfd.readouterr())
    assert "login failed" in logged
    for secret in (PASSWORD, "not-the-password", "short-secret", answer.json["access_token"]):
        assert secret not in logged


def test_logins_are_counted_by_outcome(suite: AuthSuite) -> None:
    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("muster_logins_total", {"outcome": outcome}) or 0

    before = {outcome: counted(outcome) for outcome in ("success", "failure")}
    suite.log_in("ana@example.com")
    suite.log_in("ana@example.com", "wrong password")
    assert {outcome: counted(outcome) - before[outcome] for outcome in before} == {
        "success": 1,
        "failure": 1,
    }
