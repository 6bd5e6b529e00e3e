"""GET /v1/revocations: how the other services learn that tokens ended."""

import jwt
import pytest

from auth.accounts import Accounts
from auth.repository import UserStore
from auth.users import StoredUser, UserChanges
from muster.http.tokens import Principal
from tests.unit.auth.suite import PASSWORD, AuthSuite, Clock, new_user


def revocations(suite: AuthSuite) -> object:
    answer = suite.app.test_client().get("/v1/revocations")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    return answer.json["revocations"]


def ended(suite: AuthSuite) -> list[str]:
    tokens: list[str] = suite.app.test_client().get("/v1/revocations").get_json()["tokens"]
    return tokens


def token_id(token: str) -> str:
    found: str = jwt.decode(token, options={"verify_signature": False})["jti"]
    return found


def test_signing_out_ends_this_token_and_no_other(suite: AuthSuite) -> None:
    token, other = suite.token_of(suite.ana), suite.token_of(suite.ana)
    assert suite.call("POST", "/v1/logout", token=token).status_code == 204
    assert ended(suite) == [token_id(token)]
    assert revocations(suite) == {}
    assert suite.call("GET", "/v1/me", token=token).status_code == 401
    assert suite.call("POST", "/v1/logout", token=token).status_code == 401
    assert suite.call("GET", "/v1/me", token=other).status_code == 200


def principal(user: StoredUser, token_id: str, expires_at: float) -> Principal:
    return Principal(user.id, user.email, frozenset(), user.generation, token_id, int(expires_at))


def test_a_token_that_was_signed_out_is_kept_until_its_time_is_over(
    accounts: Accounts, clock: Clock, store: UserStore
) -> None:
    ana = accounts.add(new_user("ana@example.com"))
    accounts.end_token(principal(ana, "t1", clock.now + 3600))
    clock.now += 3600 + 60
    assert accounts.revocations() == ({}, ["t1"])
    clock.now += 1
    assert accounts.revocations() == ({}, [])
    accounts.end_token(principal(ana, "t2", clock.now + 3600))
    with store.reading() as users:
        assert not users.has_ended("t1")
        assert users.has_ended("t2")


def test_a_token_that_is_signed_out_twice_at_once_is_signed_out(
    accounts: Accounts, clock: Clock
) -> None:
    ana = accounts.add(new_user("ana@example.com"))
    for _ in range(2):
        accounts.end_token(principal(ana, "t1", clock.now + 3600))
    assert accounts.revocations() == ({}, ["t1"])


def test_who_signs_out_very_often_ends_all_their_tokens_instead(
    accounts: Accounts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.accounts.SINGLE_ENDS", 3)
    ana, bea = (accounts.add(new_user(f"{name}@example.com")) for name in ("ana", "bea"))
    accounts.end_token(principal(bea, "b1", clock.now + 3600))
    for n in range(3):
        accounts.end_token(principal(ana, f"t{n}", clock.now + 3600))
    assert accounts.revocations()[0] == {}
    accounts.end_token(principal(ana, "t3", clock.now + 3600))
    assert accounts.revocations() == ({ana.id: 2}, ["b1"])


def test_nobody_is_listed_at_first(suite: AuthSuite) -> None:
    assert revocations(suite) == {}


def test_a_changed_user_is_listed_with_the_generation_that_counts(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"permissions": ["queries:read"]})
    assert revocations(suite) == {suite.ana.id: 2}
    suite.call("PATCH", path, {"password": "another password"})
    assert revocations(suite) == {suite.ana.id: 3}


def test_an_own_change_of_password_is_listed(suite: AuthSuite) -> None:
    body = {"current_password": PASSWORD, "new_password": "another password"}
    suite.call("POST", "/v1/me/password", body, token=suite.token_of(suite.ana))
    assert revocations(suite) == {suite.ana.id: 2}


def test_no_token_of_a_deleted_user_counts(suite: AuthSuite) -> None:
    suite.call("DELETE", f"/v1/users/{suite.ana.id}")
    assert revocations(suite) == {suite.ana.id: None}


def test_a_user_enabled_again_need_not_wait_for_the_list_to_be_read_again(
    suite: AuthSuite,
) -> None:
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"disabled": True})
    assert revocations(suite) == {suite.ana.id: 2}
    suite.call("PATCH", path, {"disabled": False})
    # A service may still go by the list of before.
    token = suite.log_in("ana@example.com").get_json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["generation"] >= 2


def test_new_tokens_of_an_enabled_user_count_and_old_ones_do_not(suite: AuthSuite) -> None:
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"disabled": True})
    suite.call("PATCH", path, {"disabled": False})
    assert revocations(suite) == {suite.ana.id: 3}


def test_a_user_is_listed_for_as_long_as_their_tokens_could_live(
    accounts: Accounts, clock: Clock
) -> None:
    ana, bea = (accounts.add(new_user(f"{name}@example.com")) for name in ("ana", "bea"))
    accounts.change(ana.id, UserChanges(disabled=True))
    clock.now += 3600 + 60
    assert accounts.revocations() == ({ana.id: 2}, [])
    clock.now += 1
    assert accounts.revocations() == ({}, [])
    accounts.delete(bea.id)
    assert accounts.revocations() == ({bea.id: None}, [])


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_list_can_only_be_read(suite: AuthSuite, method: str) -> None:
    assert suite.call(method, "/v1/revocations").status_code == 405
