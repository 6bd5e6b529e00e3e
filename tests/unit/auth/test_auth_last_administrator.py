"""Somebody can always manage users."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import select

from auth.accounts import Accounts
from auth.errors import LastAdministrator
from auth.passwords import Passwords
from auth.repository import UserStore, UserTable
from auth.schema import administration
from auth.users import UserChanges
from muster.database import Database, WriteConflict, open_database
from tests.unit.auth.suite import OTHER_PASSWORD, PASSWORD, AuthSuite, PlainHasher, new_user

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


CHANGES_OF_ALL: list[Callable[[Accounts, str], object]] = [
    lambda accounts, user_id: accounts.change(user_id, UserChanges(disabled=True)),
    lambda accounts, user_id: accounts.change(user_id, UserChanges(permissions=frozenset())),
    lambda accounts, user_id: accounts.delete(user_id),
]


class OtherMember(UserStore):
    """The users as a member of a cluster has them that does not see what another one locks.

    While its first transaction is on its way, `meanwhile` is done on the other member. As both
    write the same row, the cluster rolls this one back.
    """

    def __init__(self, database: Database, meanwhile: Callable[[], object]) -> None:
        super().__init__(database)
        self._meanwhile = [meanwhile]

    @contextmanager
    def writing(self) -> Iterator[UserTable]:
        if not self._meanwhile:
            with super().writing() as users:
                yield users
            return
        with suppress(RolledBack), super().writing() as users:
            before = changes_of(users)
            yield users
            assert changes_of(users) == before + 1
            raise RolledBack
        self._meanwhile.pop()()
        raise WriteConflict


class RolledBack(Exception):
    pass


def changes_of(users: UserTable) -> int:
    changes: int = users._connection.execute(select(administration.c.changes)).scalar_one()
    return changes


@pytest.mark.parametrize("leave", CHANGES_OF_ALL, ids=["disabled", "without rights", "deleted"])
def test_of_two_who_leave_at_once_on_two_members_of_a_cluster_one_stays(
    store: UserStore, database_url: str, leave: Callable[[Accounts, str], object]
) -> None:
    passwords = Passwords(PlainHasher())
    here = Accounts(store, passwords, token_seconds=3600)
    one, two = (here.add(new_user(f"{n}@example.com", "users:admin")).id for n in range(2))
    with closing(open_database(database_url)) as database:
        member = OtherMember(database, lambda: leave(here, two))
        with pytest.raises(LastAdministrator):
            leave(Accounts(member, passwords, token_seconds=3600), one)
    assert [user.id for user in here.all() if user.administers] == [one]
