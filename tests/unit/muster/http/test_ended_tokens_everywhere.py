"""Every service that takes tokens refuses those that auth has ended."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

import dbuploader.app
import dbuploader.settings
import gateway.app
import gateway.settings
import queries.app
import queries.settings
from muster.backends.signing_key import ALGORITHM, SigningKey
from muster.http.tokens import AUDIENCE, ISSUER
from tests.unit.gateway.behind import Behind, serve_behind

# What any token may ask of each service, without anything behind it but auth.
ASKED = {
    "gateway": "/v1/tables",
    "queries": "/v1/tables/unknown/rows",
    "dbuploader": "/v1/tables/unknown/rows",
}
APPS: dict[str, Callable[[Path, str], Flask]] = {
    "gateway": lambda home, auth: gateway.app.create_app(
        gateway.settings.Settings(home=home, auth_url=auth)
    ),
    "queries": lambda home, auth: queries.app.create_app(
        queries.settings.Settings(home=home, auth_url=auth)
    ),
    "dbuploader": lambda home, auth: dbuploader.app.create_app(
        dbuploader.settings.Settings(home=home, auth_url=auth)
    ),
}
KEY = SigningKey(Ed25519PrivateKey.generate())


@pytest.fixture
def auth() -> Iterator[Behind]:
    with serve_behind() as behind:
        behind.answers["GET /.well-known/jwks.json"] = (200, {"keys": [KEY.jwk]})
        behind.answers["GET /v1/revocations"] = (200, {"revocations": {}, "tokens": []})
        yield behind


def token(**changes: Any) -> str:
    claims = {
        **{"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "jti": "t1", "generation": 1},
        **{"iat": int(time.time()), "exp": int(time.time()) + 3600},
        **{"email": "ana@example.com", "permissions": ["queries:read", "rows:write"]},
    }
    return jwt.encode(claims | changes, KEY.private, ALGORITHM, headers={"kid": KEY.kid})


def ask(app: Flask, service: str, sent: str) -> int:
    verb = "POST" if service == "dbuploader" else "GET"
    headers = {"Authorization": f"Bearer {sent}"}
    return app.test_client().open(ASKED[service], method=verb, headers=headers).status_code


@pytest.mark.parametrize("service", APPS)
@pytest.mark.parametrize(
    "ended",
    [
        {"revocations": {"u1": None}, "tokens": []},
        {"revocations": {"u1": 2}, "tokens": []},
        {"revocations": {}, "tokens": ["t1"]},
    ],
)
def test_a_token_that_auth_ended_is_refused(
    tmp_path: Path, auth: Behind, service: str, ended: dict[str, Any]
) -> None:
    app = APPS[service](tmp_path, auth.url)
    assert ask(app, service, token(sub="u2", jti="t2")) not in {401, 503}
    app = APPS[service](tmp_path, auth.url)
    auth.answers["GET /v1/revocations"] = (200, ended)
    assert ask(app, service, token()) == 401
    assert ask(app, service, token(sub="u2", jti="t2")) not in {401, 503}


@pytest.mark.parametrize("service", APPS)
def test_no_token_is_believed_while_auth_does_not_say_which_ended(
    tmp_path: Path, auth: Behind, service: str
) -> None:
    auth.answers["GET /v1/revocations"] = (503, {})
    assert ask(APPS[service](tmp_path, auth.url), service, token()) == 503


def test_a_list_of_the_version_before_is_taken(tmp_path: Path, auth: Behind) -> None:
    auth.answers["GET /v1/revocations"] = (200, {"revocations": {"u1": None}})
    app = APPS["gateway"](tmp_path, auth.url)
    assert ask(app, "gateway", token()) == 401
    assert ask(app, "gateway", token(sub="u2")) == 200
