"""Somebody can always manage users."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auth.accounts import Accounts
from auth.errors import LastAdministrator
from auth.users import UserChanges
from tests.unit.auth.suite import OTHER_PASSWORD, PASSWORD, AuthSuite, new_user

CHANGES: list[dict[str, Any]] = [{"disabled": True}, {"permissions": ["uploads:admin"]}]


@pytest.mark.parametrize("change", CHANGES)
def test_the_last_administrator_stays_one(suite: AuthSuite, change: dict[str, Any]) -> None:
    answer = suite.call("PATCH", f"/v1/users/{suite.admin.id}", change)
    assert answer.status_code == 409
    assert suite.call("GET", "/v1/users").status_code == 200


def test_the_last_administrator_is_not_deleted(suite: AuthSuite) -> None:
    assert suite.call("DELETE", f"/v1/users/{suite.admin.id}").status_code == 409


@pytest.mark.parametrize("change", CHANGES)
def test_one_of_two_may_leave(suite: AuthSuite, change: dict[str, Any]) -> None:
    bea = {"email": "bea@example.com", "password": PASSWORD, "permissions": ["users:admin"]}
    suite.call("POST", "/v1/users", bea)
    assert suite.call("PATCH", f"/v1/users/{suite.admin.id}", change).status_code == 200


def test_a_disabled_administrator_does_not_count(suite: AuthSuite) -> None:
    bea = {"email": "bea@example.com", "password": PASSWORD, "permissions": ["users:admin"]}
    location = suite.call("POST", "/v1/users", bea).headers["Location"]
    suite.call("PATCH", location, {"disabled": True})
    assert suite.call("DELETE", f"/v1/users/{suite.admin.id}").status_code == 409
    assert suite.call("DELETE", location).status_code == 204


def test_the_last_administrator_may_change_their_password(suite: AuthSuite) -> None:
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert suite.call("POST", "/v1/me/password", change).status_code == 204


def test_of_administrators_who_leave_at_once_one_stays(accounts: Accounts) -> None:
    admins = [accounts.add(new_user(f"{n}@example.com", "users:admin")) for n in range(6)]

    def leave(user_id: str) -> bool:
        try:
            accounts.change(user_id, UserChanges(disabled=True))
        except LastAdministrator:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        left = list(pool.map(leave, [user.id for user in admins]))
    assert left.count(False) == 1
    assert sum(user.administers for user in accounts.all()) == 1
