"""Two administrators who leave at once, each on a member of their own, where no lock is shared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

import auth.migrations
from auth.accounts import Accounts
from auth.errors import LastAdministrator
from auth.passwords import Passwords
from auth.repository import UserStore
from auth.users import UserChanges
from muster.database import Database, open_database
from tests.contract.at_once import at_once
from tests.servers.galera import galera_cluster
from tests.servers.mariadb import MariaServer, new_database, with_database
from tests.servers.mysqlgroup import mysql_group
from tests.unit.auth.suite import PlainHasher, new_user

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("clusters")]

TRIES = 150
CLUSTERS: dict[str, Callable[..., AbstractContextManager[Sequence[MariaServer]]]] = {
    "galera": galera_cluster,
    "group": mysql_group,
}


@pytest.fixture(scope="module", params=CLUSTERS)
def members(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[MariaServer]]:
    with CLUSTERS[request.param](tmp_path_factory.mktemp(request.param), 2) as members:
        yield members


def accounts_on(database: Database) -> Accounts:
    return Accounts(UserStore(database), Passwords(PlainHasher()), token_seconds=3600)


def leave(accounts: Accounts, user_id: str) -> bool:
    try:
        accounts.change(user_id, UserChanges(disabled=True))
    except LastAdministrator:
        return False
    return True


@pytest.mark.timeout(3600)
def test_one_of_them_stays(members: Sequence[MariaServer]) -> None:
    with new_database(members[0].url()) as url:
        urls = [with_database(each.url(), Path(url).name) for each in members]
        with (
            closing(open_database(urls[0], allow_multi_primary=True)) as one,
            closing(open_database(urls[1], allow_multi_primary=True)) as other,
        ):
            auth.migrations.migrate(one)
            here, there = accounts_on(one), accounts_on(other)
            ended = [left_of_two(here, there, number) for number in range(TRIES)]
    print(f"of {TRIES} tries {ended.count(0)} left nobody")
    assert ended == [1] * TRIES


def left_of_two(here: Accounts, there: Accounts, number: int) -> int:
    emails = (f"{name}{number}@example.com" for name in ("ana", "bea"))
    first, second = (here.add(new_user(email, "users:admin")) for email in emails)
    at_once([lambda: leave(here, first.id), lambda: leave(there, second.id)])
    left = [user for user in here.all() if user.administers]
    for user in here.all():
        with here._store.writing() as users:
            users.delete(user.id)
    return len(left)
