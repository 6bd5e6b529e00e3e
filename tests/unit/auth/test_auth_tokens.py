"""Which tokens auth itself takes."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.services import Services
from auth.tokens import AccessTokens
from muster.backends.signing_key import SigningKey
from muster.database import DatabaseUnavailable
from muster.http.service import provided
from muster.http.tokens import Principal, authenticate_with
from tests.unit.auth.suite import AuthSuite

Forge = Callable[[AuthSuite], str]


def claims_of(suite: AuthSuite, **changes: Any) -> dict[str, Any]:
    token = suite.token_of(suite.admin)
    return jwt.decode(token, options={"verify_signature": False}) | changes


def key_of(suite: AuthSuite) -> SigningKey:
    return provided(suite.app, Services).signing_keys[0]


def signed(suite: AuthSuite, kid: str | None = None, **changes: Any) -> str:
    key = key_of(suite)
    claims = claims_of(suite, **changes)
    return jwt.encode(claims, key.private, "EdDSA", headers={"kid": kid or key.kid})


def unsigned(suite: AuthSuite) -> str:
    return jwt.encode(claims_of(suite), "", "none", headers={"kid": key_of(suite).kid})


def signed_with_the_public_key_as_secret(suite: AuthSuite) -> str:
    key = key_of(suite)
    secret = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return jwt.encode(claims_of(suite), secret, "HS256", headers={"kid": key.kid})


def signed_by_another(suite: AuthSuite) -> str:
    other = Ed25519PrivateKey.generate()
    return jwt.encode(claims_of(suite), other, "EdDSA", headers={"kid": key_of(suite).kid})


def with_other_claims(suite: AuthSuite) -> str:
    head, _, signature = suite.token_of(suite.ana).split(".")
    claims = claims_of(suite, permissions=["users:admin"])
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_the_public_key_as_secret,
        signed_by_another,
        with_other_claims,
        lambda suite: signed(suite, kid="another"),
        lambda suite: signed(suite, aud="another"),
        lambda suite: signed(suite, iss="another"),
        lambda suite: signed(suite, exp=int(time.time()) - 1),
        lambda suite: signed(suite, sub="nobody"),
        lambda _: "not.a.token",
        lambda _: "é",
        lambda _: ".." * 500,
    ],
)
def test_a_token_that_auth_did_not_give_is_refused(suite: AuthSuite, forge: Forge) -> None:
    answer = suite.call("GET", "/v1/me", token=forge(suite))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("claim", ["exp", "aud", "iss", "sub", "email", "generation"])
def test_a_token_without_a_claim_is_refused(suite: AuthSuite, claim: str) -> None:
    claims = claims_of(suite)
    del claims[claim]
    key = key_of(suite)
    token = jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid})
    assert suite.call("GET", "/v1/me", token=token).status_code == 401


def test_a_fresh_token_holds_where_the_clock_is_behind_that_of_auth(suite: AuthSuite) -> None:
    ahead = AccessTokens(
        [key_of(suite)],
        provided(suite.app, Services).tokens._store,
        seconds=60,
        clock=lambda: time.time() + 5,
    )
    assert suite.call("GET", "/v1/me", token=ahead.issue(suite.admin)).status_code == 200


def test_a_token_ends_with_its_time(suite: AuthSuite) -> None:
    tokens = provided(suite.app, Services).tokens
    long_ago = AccessTokens(
        [key_of(suite)], tokens._store, seconds=60, clock=lambda: time.time() - 61
    )
    token = long_ago.issue(suite.admin)
    assert suite.call("GET", "/v1/me", token=token).status_code == 401


def test_no_token_is_refused_before_the_body_is_read(suite: AuthSuite) -> None:
    answer = suite.app.test_client().post("/v1/users", data=b"x" * 100_000)
    assert answer.status_code == 401


def test_the_permissions_that_count_are_those_of_now(suite: AuthSuite) -> None:
    token = signed(suite, sub=suite.ana.id, permissions=["users:admin"])
    assert suite.call("GET", "/v1/users", token=token).status_code == 403


@pytest.mark.parametrize(
    "change",
    [{"disabled": True}, {"password": "another password"}, {"permissions": ["queries:read"]}],
)
def test_a_change_of_the_user_ends_their_tokens_at_once(
    suite: AuthSuite, change: dict[str, Any]
) -> None:
    token = suite.token_of(suite.ana)
    assert suite.call("GET", "/v1/me", token=token).status_code == 200
    assert suite.call("PATCH", f"/v1/users/{suite.ana.id}", change).status_code == 200
    assert suite.call("GET", "/v1/me", token=token).status_code == 401


def test_deleting_the_user_ends_their_tokens_at_once(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    suite.call("DELETE", f"/v1/users/{suite.ana.id}")
    assert suite.call("GET", "/v1/me", token=token).status_code == 401


def test_a_database_that_does_not_answer_is_no_reason_to_refuse_a_token(suite: AuthSuite) -> None:
    def verify(_token: str) -> Principal:
        raise DatabaseUnavailable("no connection is free")

    authenticate_with(suite.app, verify)
    answer = suite.call("GET", "/v1/me")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
