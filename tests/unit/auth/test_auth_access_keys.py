"""Access keys: made, listed, exchanged for tokens, and ended."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from auth.access_keys import AccessKeys
from auth.accounts import Accounts
from auth.errors import InvalidKey, TooManyAttempts
from auth.limits import GuessLimiter
from auth.repository import UserStore
from auth.services import Services
from auth.tokens import AccessTokens
from auth.users import NewKeyRequest, StoredUser, UserChanges
from muster.backends.signing_key import load_key
from muster.database import DatabaseUnavailable
from muster.http.access_keys import hash_of, new_key
from muster.http.service import provided
from muster.http.tokens import Principal
from tests.unit.auth.suite import OTHER_PASSWORD, PASSWORD, AuthSuite, Clock, new_user

EXCHANGE = "/internal/key-token"


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def request_for(*permissions: str, **changes: Any) -> dict[str, Any]:
    made = {"name": "nightly load", "permissions": permissions, "expires_at": in_days(30)}
    return made | changes


def make_key(suite: AuthSuite, user: StoredUser, *permissions: str) -> dict[str, Any]:
    made = suite.call("POST", "/v1/keys", request_for(*permissions), token=suite.token_of(user))
    assert made.status_code == 201, made.text
    return made.get_json()  # type: ignore[no-any-return]


def exchange(suite: AuthSuite, key: str) -> TestResponse:
    return suite.call("GET", EXCHANGE, token=key)


def token_for(suite: AuthSuite, key: str) -> str:
    answer = exchange(suite, key)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["access_token"]  # type: ignore[no-any-return]


def claims_in(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_key_is_shown_once_and_kept_as_its_hash(suite: AuthSuite) -> None:
    made = make_key(suite, suite.ana, "uploads:write")
    key = made.pop("key")
    listed = suite.call("GET", "/v1/keys", token=suite.token_of(suite.ana)).get_json()["keys"]
    assert listed == [made]
    assert made["last_used_at"] is None
    with provided(suite.app, Services).database.read() as connection:
        (row,) = connection.execute(text("SELECT * FROM access_keys")).mappings()
    assert row["key_hash"] == hash_of(key)
    assert key not in str(dict(row))
    assert suite.call("GET", "/v1/keys").get_json() == {"keys": []}


def test_a_key_gives_a_token_for_a_minute_that_may_what_key_and_owner_may(
    suite: AuthSuite,
) -> None:
    made = make_key(suite, suite.ana, "uploads:write", "uploads:read")
    claims = claims_in(token_for(suite, made["key"]))
    assert claims["exp"] - claims["iat"] == 60
    assert claims["sub"] == suite.ana.id
    assert (claims["jti"], claims["by_key"]) == (made["id"], True)
    assert claims["permissions"] == ["uploads:read", "uploads:write"]
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"permissions": ["uploads:read", "rows:write"]})
    assert claims_in(token_for(suite, made["key"]))["permissions"] == ["uploads:read"]
    (listed,) = suite.call("GET", "/v1/keys", token=suite.token_of(owner_now(suite))).json["keys"]  # type: ignore[index]
    assert listed["last_used_at"] is not None


def owner_now(suite: AuthSuite) -> StoredUser:
    return provided(suite.app, Services).accounts.get(suite.ana.id)


def test_at_auth_too_a_key_may_no_more_than_its_permissions(suite: AuthSuite) -> None:
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"permissions": ["users:admin"]})
    for permissions, status in ({"users:admin"}, 200), ({"queries:read"}, 422):
        answer = suite.call(
            "POST", "/v1/keys", request_for(*permissions), token=suite.token_of(owner_now(suite))
        )
        assert (answer.status_code == 201) is (status == 200)
    everything = ["users:admin", "queries:read"]
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"permissions": everything})
    made = make_key(suite, owner_now(suite), "queries:read")
    token = token_for(suite, made["key"])
    assert suite.call("GET", "/v1/users", token=token).status_code == 403
    assert suite.call("GET", "/v1/me", token=token).status_code == 200


NOT_FOR_KEYS = [
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/{key}"),
    ("POST", "/v1/users"),
    ("PATCH", "/v1/users/{user}"),
    ("DELETE", "/v1/users/{user}"),
    ("POST", "/v1/me/password"),
    ("POST", "/v1/logout"),
]


def test_a_key_makes_no_keys_users_or_passwords(suite: AuthSuite) -> None:
    made = make_key(suite, suite.admin, "users:admin")
    token = token_for(suite, made["key"])
    for method, path in NOT_FOR_KEYS:
        path = path.format(key=made["id"], user=suite.ana.id)
        answer = suite.call(method, path, {}, token=token)
        assert answer.status_code == 403, path
        assert answer.get_json()["type"] == "/docs/errors#not-by-key"
    assert suite.call("GET", "/v1/users", token=token).status_code == 200


Change = Callable[[AuthSuite], TestResponse]
ENDS: dict[str, Change] = {
    "disabled": lambda suite: suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"disabled": True}),
    "deleted": lambda suite: suite.call("DELETE", f"/v1/users/{suite.ana.id}"),
    "another password": lambda suite: suite.call(
        "PATCH", f"/v1/users/{suite.ana.id}", {"password": OTHER_PASSWORD}
    ),
    "own new password": lambda suite: suite.call(
        "POST",
        "/v1/me/password",
        {"current_password": PASSWORD, "new_password": OTHER_PASSWORD},
        token=suite.token_of(suite.ana),
    ),
}


@pytest.mark.parametrize("change", ENDS)
def test_keys_end_with_their_owner_and_with_the_password(suite: AuthSuite, change: str) -> None:
    key = make_key(suite, suite.ana, "uploads:read")["key"]
    token = token_for(suite, key)
    assert ENDS[change](suite).status_code in {200, 204}
    assert exchange(suite, key).status_code == 401
    assert suite.call("GET", "/v1/me", token=token).status_code == 401
    # Whoever is enabled again has no keys, either.
    suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"disabled": False})
    assert exchange(suite, key).status_code == 401


def test_a_revoked_key_ends_with_its_tokens_and_no_other_does(suite: AuthSuite) -> None:
    made, other = (make_key(suite, suite.ana, "uploads:read") for _ in range(2))
    token, session = token_for(suite, made["key"]), suite.token_of(suite.ana)
    path = f"/v1/keys/{made['id']}"
    assert suite.call("DELETE", path).status_code == 404
    assert suite.call("DELETE", path, token=session).status_code == 204
    assert suite.call("DELETE", path, token=session).status_code == 404
    assert exchange(suite, made["key"]).status_code == 401
    assert suite.call("GET", "/v1/me", token=token).status_code == 401
    # So the services learn of it, within 5 s.
    listed = suite.app.test_client().get("/v1/revocations").get_json()
    assert listed == {"revocations": {}, "tokens": [made["id"]]}
    assert exchange(suite, other["key"]).status_code == 200
    assert suite.call("GET", "/v1/me", token=session).status_code == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "two\nlines"}, "name"),
    ({"name": None}, "name"),
    ({"permissions": []}, "permissions"),
    ({"permissions": ["root"]}, "permissions"),
    ({"permissions": ["users:admin"]}, "permissions"),
    ({"expires_at": in_days(-1)}, "expires_at"),
    ({"expires_at": in_days(367)}, "expires_at"),
    ({"expires_at": "2999-01-01"}, "expires_at"),
    ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
    ({"expires_at": 1}, "expires_at"),
    ({"expires_at": None}, "expires_at"),
    ({"key": "muster_of_my_own"}, "key"),
]


def test_what_is_wrong_with_a_key_is_told(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    for change, field in WRONG:
        wrong = request_for("uploads:read") | change
        answer = suite.call("POST", "/v1/keys", wrong, token=token)
        assert answer.status_code == 422, change
        assert [error["field"] for error in answer.get_json()["errors"]] == [field]


def test_what_is_no_key_gets_no_token(suite: AuthSuite) -> None:
    token = suite.token_of(suite.ana)
    for key in ("muster_", "muster_x", new_key(), f"{new_key()}0", token):
        answer = exchange(suite, key)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_auth_takes_no_key_where_a_token_is_asked_for(suite: AuthSuite) -> None:
    key = make_key(suite, suite.ana, "uploads:read")["key"]
    assert suite.call("GET", "/v1/me", token=key).status_code == 401


@pytest.fixture
def keys(accounts: Accounts, store: UserStore, clock: Clock, tmp_path: Any) -> AccessKeys:
    tokens = AccessTokens([load_key(tmp_path / "key.pem")], store, 3600, clock)
    return AccessKeys(
        store, accounts, tokens, GuessLimiter("guesses", "3 per minute", clock), clock
    )


def principal(user: StoredUser) -> Principal:
    return Principal(user.id, user.email, user.permissions, user.generation, "t", 1)


def make_until(keys: AccessKeys, user: StoredUser, end: float, name: str = "k") -> str:
    until = datetime.fromtimestamp(end, UTC)
    new = NewKeyRequest(name=name, permissions=user.permissions, expires_at=until)
    return keys.add(principal(user), new)[1]


def test_a_key_and_its_tokens_end_when_it_expires(
    keys: AccessKeys, accounts: Accounts, clock: Clock
) -> None:
    ana = accounts.add(new_user("ana@example.com", "uploads:read"))
    key = make_until(keys, ana, clock.now + 90)
    clock.now += 60
    claims = claims_in(keys.exchange(key, "192.0.2.1"))
    assert claims["exp"] == clock.now + 30
    clock.now += 30
    with pytest.raises(InvalidKey):
        keys.exchange(key, "192.0.2.1")
    assert [each.name for each in keys.of(ana.id)] == ["k"]
    clock.now += 30 * 24 * 3600 + 1
    make_until(keys, ana, clock.now + 90, "another")
    assert [each.name for each in keys.of(ana.id)] == ["another"]


def test_guesses_from_an_address_are_limited_and_others_are_not(
    keys: AccessKeys, accounts: Accounts, clock: Clock
) -> None:
    ana = accounts.add(new_user("ana@example.com", "uploads:read"))
    key = make_until(keys, ana, clock.now + 90)
    for _ in range(3):
        keys.exchange(key, "192.0.2.1")
        with pytest.raises(InvalidKey):
            keys.exchange(new_key(), "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        keys.exchange(key, "192.0.2.1")
    keys.exchange(key, "192.0.2.2")
    clock.now += 60
    keys.exchange(key, "192.0.2.1")


def test_a_user_has_so_many_keys_and_no_more(
    suite: AuthSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.access_keys.MOST_KEYS", 2)
    for _ in range(2):
        make_key(suite, suite.ana, "uploads:read")
    again = suite.call(
        "POST", "/v1/keys", request_for("uploads:read"), token=suite.token_of(suite.ana)
    )
    assert again.status_code == 409
    make_key(suite, suite.admin, "users:admin")


def test_whoever_is_disabled_meanwhile_gets_no_key(
    keys: AccessKeys, accounts: Accounts, clock: Clock
) -> None:
    ana = accounts.add(new_user("ana@example.com", "uploads:read"))
    accounts.change(ana.id, UserChanges(disabled=True))
    accounts.change(ana.id, UserChanges(disabled=False))
    with suppress(Exception):
        make_until(keys, ana, clock.now + 90)
    assert keys.of(ana.id) == []


def test_a_key_is_good_while_the_database_takes_no_writes(
    keys: AccessKeys,
    accounts: Accounts,
    clock: Clock,
    store: UserStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ana = accounts.add(new_user("ana@example.com", "uploads:read"))
    key = make_until(keys, ana, clock.now + 90)

    def away() -> None:
        raise DatabaseUnavailable("read only")

    monkeypatch.setattr(store, "writing", away)
    assert keys.exchange(key, "192.0.2.1")
