"""A request with an access key is answered as one with the token that auth gives for it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from gateway.proxy.access_keys import KeyExchange
from gateway.proxy.upstream import Upstream, UpstreamResponse
from gateway.services import Services
from muster.http.access_keys import new_key
from muster.http.service import provided
from muster.http.tokens import InvalidToken, KeysUnavailable, validity_of_token
from tests.unit.gateway.behind import Behind
from tests.unit.gateway.fakes import WordTokens, principal_named

KEY = new_key()
ROUTE = "GET /internal/key-token"
TOKEN = "ana+queries:read+users:admin"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def client(client_with_behind: FlaskClient, behind: Behind) -> FlaskClient:
    behind.answers[ROUTE] = (200, {"access_token": TOKEN})
    return client_with_behind


def sent(behind: Behind) -> list[tuple[str, str]]:
    return [(path, headers["Authorization"]) for _, path, headers, _ in behind.asked]


def test_a_key_is_exchanged_once_and_goes_no_further(client: FlaskClient, behind: Behind) -> None:
    for _ in range(2):
        assert client.get("/v1/users", headers=WITH_KEY).status_code == 200
    assert sent(behind) == [
        ("/internal/key-token", f"Bearer {KEY}"),
        *2 * [("/v1/users", f"Bearer {TOKEN}")],
    ]


def test_a_key_may_no_more_than_its_token(client: FlaskClient) -> None:
    assert client.get("/v1/tables", headers=WITH_KEY).status_code == 200
    assert client.get("/v1/uploads", headers=WITH_KEY).status_code == 403


def test_what_is_no_key_costs_auth_nothing(client: FlaskClient, behind: Behind) -> None:
    for key in ("muster_", "muster_x", KEY[:-1], f"{KEY}0"):
        answer = client.get("/v1/tables", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401
    assert behind.asked == []


@pytest.mark.parametrize(
    ("refusal", "status"), [(401, 401), (429, 429), (503, 503), (500, 503), (404, 503)]
)
def test_what_auth_says_of_a_key_is_told(
    client: FlaskClient, behind: Behind, refusal: int, status: int
) -> None:
    behind.answers[ROUTE] = (refusal, {})
    answer = client.get("/v1/tables", headers=WITH_KEY)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert ("Retry-After" in answer.headers) is (status in {429, 503})
    # What asks for no token is answered whatever is sent.
    if refusal == 401:
        assert client.get("/healthz", headers=WITH_KEY).status_code == 200


def test_a_key_in_the_cookie_of_the_page_is_none(client: FlaskClient, behind: Behind) -> None:
    client.set_cookie("muster_session", KEY)
    for _ in range(2):
        assert client.get("/v1/tables").status_code == 401
    assert behind.asked == []


def test_whether_a_long_answer_goes_on_is_asked_of_the_key(
    client: FlaskClient, behind: Behind
) -> None:
    app = client.application
    with app.test_request_context("/v1/tables", headers=WITH_KEY):
        app.preprocess_request()
        is_valid = validity_of_token()
    assert is_valid()
    provided(app, Services).tokens.end(principal_named(TOKEN))
    # Not by the token that it began with, which is over in a minute.
    behind.answers[ROUTE] = (200, {"access_token": "ana"})
    assert is_valid()
    provided(app, Services).tokens.end(principal_named("ana"))
    behind.answers[ROUTE] = (401, {})
    assert not is_valid()


def test_a_revoked_key_is_refused_here_at_once(client: FlaskClient, behind: Behind) -> None:
    behind.answers[ROUTE] = (200, {"access_token": "ana"})
    assert client.get("/v1/tables", headers=WITH_KEY).status_code == 200
    behind.answers["DELETE /v1/keys/ana"] = (204, None)
    session = {"Authorization": "Bearer bob"}
    assert client.delete("/v1/keys/ana", headers=session).status_code == 204
    behind.answers[ROUTE] = (401, {})
    assert client.get("/v1/tables", headers=WITH_KEY).status_code == 401


class Auth:
    """Answers for keys, and notes for which."""

    def __init__(self) -> None:
        self.time = 0.0
        self.tokens = WordTokens()
        self.status, self.token = 200, "ana"
        self.asked: list[str] = []
        upstream = cast(Upstream, SimpleNamespace(send=self.send))
        self.keys = KeyExchange(self.tokens, upstream, lambda: self.time)

    def send(self, *_: Any, headers: dict[str, str], **__: Any) -> UpstreamResponse:
        self.asked.append(headers["Authorization"])
        return UpstreamResponse(self.status, {}, f'{{"access_token":"{self.token}"}}'.encode())


@pytest.fixture
def auth() -> Auth:
    return Auth()


def test_a_token_is_kept_for_45_of_its_60_seconds(auth: Auth) -> None:
    for auth.time in (0, 44, 46, 90, 92):
        assert auth.keys.exchange(KEY) == "ana"
    assert len(auth.asked) == 3


def test_a_token_that_ended_is_not_used_however_fresh(auth: Auth) -> None:
    auth.keys.exchange(KEY)
    auth.tokens.ended.add("ana")
    auth.status = 401
    with pytest.raises(InvalidToken):
        auth.keys.exchange(KEY)


def test_a_key_goes_on_when_only_what_its_owner_may_has_changed(auth: Auth) -> None:
    auth.keys.exchange(KEY)
    auth.tokens.ended.add("ana")
    auth.token = "ana+rows:write"
    assert auth.keys.exchange(KEY) == "ana+rows:write"


def test_a_key_that_was_refused_is_asked_about_again_after_5_seconds(auth: Auth) -> None:
    auth.status = 401
    for auth.time in (0, 4, 6):
        with pytest.raises(InvalidToken):
            auth.keys.exchange(KEY)
    assert len(auth.asked) == 2


@pytest.mark.parametrize("status", [503, 500])
def test_a_failure_of_auth_is_not_kept(auth: Auth, status: int) -> None:
    auth.status = status
    with pytest.raises(KeysUnavailable):
        auth.keys.exchange(KEY)
    auth.status = 200
    assert auth.keys.exchange(KEY) == "ana"


def test_keys_do_not_fill_the_memory(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.proxy.access_keys.is_well_formed", lambda _: True)
    for n in range(5000):
        auth.keys.exchange(f"muster_{n}")
    assert len(auth.keys._kept) == 4096
    assert not any(key.startswith("muster_") for key in auth.keys._kept)
