"""The services' accounts and passwords are replaced under traffic, as docs/rotation.md says."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest
import requests

from embedded.client import Client
from embedded.demo.mailbox import emails
from tests.e2e.accounts import Accounts, Credentials, guarded_mongodb, lets_in
from tests.e2e.conftest import ADMIN
from tests.e2e.rolling import RollingSuite, rolling_suite
from tests.e2e.threads import in_threads
from tests.e2e.waiting import wait_until
from tests.servers.mariadb import MariaServer, require_mariadb
from tests.servers.mongodb import require_mongodb
from tests.servers.rabbitmq import RabbitServer, require_rabbitmq
from tests.servers.smtp import MailServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

FORMER, LATER = Credentials("former", ""), Credentials("later", "-b")
KEPT, ANEW = 2, 2
KINDS = ("login", "upload", "rows", "question", "webhooks")
# Of each kind of request, at least, after each step.
EACH = 5
_FIRST_ID = 500_000


class Users:
    """Threads that log in, upload, send rows and ask, over connections that are kept, or new."""

    def __init__(self, suite: RollingSuite) -> None:
        self._suite = suite
        self._stop = threading.Event()
        self._numbers = count(_FIRST_ID)
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []
        self.uploads: list[str] = []
        self.rows: list[int] = []

    def at_work(self) -> AbstractContextManager[None]:
        return in_threads([self._keep] * KEPT + [self._begin_anew] * ANEW, self._stop)

    def go_on(self) -> None:
        """Return once each kind of request was answered some times more."""
        before = self.answered.copy()
        wait_until(lambda: all(self.answered[each] >= before[each] + EACH for each in KINDS))

    def _keep(self) -> None:
        with self._log_in() as client:
            while not self._stop.wait(0.3):
                self._ask_for_all(client)

    def _begin_anew(self) -> None:
        while not self._stop.wait(0.3):
            self._try("login", self._visit)

    def _visit(self) -> None:
        with self._log_in() as client:
            self._ask_for_all(client)

    def _log_in(self) -> Client:
        return Client(self._suite.url, ADMIN, self._suite.admin_password)

    def _ask_for_all(self, client: Client) -> None:
        self._try("upload", lambda: self._upload(client))
        self._try("rows", lambda: self._send_row(client))
        self._try("question", lambda: client.query("hires-by-quarter", 2021))
        self._try("webhooks", lambda: self._look(client))

    def _try(self, kind: str, work: Callable[[], object]) -> None:
        try:
            work()
            self.answered[kind] += 1
        except requests.RequestException as error:
            text = "" if error.response is None else error.response.text
            self.failed.append(f"{kind}: {error!r} {text}")

    def _upload(self, client: Client) -> None:
        number = next(self._numbers)
        accepted = client.upload("jobs.csv", b"%d,Job %d" % (number, number))
        self.uploads.append(accepted["id"])

    def _send_row(self, client: Client) -> None:
        number = next(self._numbers)
        row = {"id": number, "job": f"Job {number}"}
        path = f"{client.url}/v1/tables/jobs/rows"
        client.session.post(path, json=[row], timeout=120).raise_for_status()
        self.rows.append(number)

    @staticmethod
    def _look(client: Client) -> None:
        client.session.get(f"{client.url}/v1/webhooks", timeout=120).raise_for_status()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with MailServer(tmp_path / "smtp") as server:
        yield server


@pytest.fixture
def accounts(tmp_path: Path, mail: MailServer) -> Iterator[Accounts]:
    for require in (require_rabbitmq, require_mariadb, require_mongodb):
        require()
    with (
        RabbitServer(tmp_path / "rabbitmq") as rabbitmq,
        MariaServer(tmp_path / "mariadb") as mariadb,
        guarded_mongodb(tmp_path / "mongodb") as mongodb,
    ):
        accounts = Accounts(rabbitmq, mariadb, mongodb, mail)
        accounts.make_at_rabbitmq(FORMER)
        accounts.make_at_mongodb(FORMER)
        accounts.make_at_mariadb(FORMER)
        yield accounts


def test_no_request_fails_while_accounts_and_passwords_are_replaced(
    tmp_path: Path, accounts: Accounts, mail: MailServer
) -> None:
    former, later = accounts.variables(FORMER), accounts.variables(LATER)
    with rolling_suite(tmp_path / "home", former) as suite:
        users = Users(suite)
        with users.at_work():
            users.go_on()
            accounts.make_at_rabbitmq(LATER)
            accounts.make_at_mongodb(LATER)
            accounts.allow_both_at_mariadb(FORMER, LATER)
            for name in suite.names:
                suite.roll(name, later)
                users.go_on()
            accounts.remove_at_rabbitmq(FORMER)
            accounts.remove_at_mongodb(FORMER)
            accounts.make_at_mariadb(LATER)
            users.go_on()
        print(f"answered: {dict(users.answered)}; {len(users.failed)} failed: {users.failed[:5]}")
        assert users.failed == []
        assert [each for name in suite.names for each in known(former(name))] == []
        check_that_each_was_done_once(suite, users, mail)


def known(variables: Mapping[str, str]) -> list[str]:
    """The URLs whose accounts and passwords are still good for something."""
    return [url for url in variables.values() if "@" in url and lets_in(url)]


def check_that_each_was_done_once(suite: RollingSuite, users: Users, mail: MailServer) -> None:
    with Client(suite.url, ADMIN, suite.admin_password) as admin:
        for upload_id in users.uploads:
            admin.wait(upload_id)
            admin.wait_for_email(upload_id)
        uploads = {each["id"]: each for each in admin.uploads()}
        jobs = [row["id"] for row in admin.rows("jobs")]
    assert sorted(uploads) == sorted(users.uploads)
    outcomes = Counter((each["state"], each["rows"]["inserted"]) for each in uploads.values())
    assert outcomes == {("completed", 1): len(users.uploads)}
    assert len(jobs) == len(users.uploads) + len(users.rows)
    told = Counter(each["Message-ID"] for each in emails(mail.maildir))
    assert len(told) == len(users.uploads)
    print(f"{len(uploads)} uploads, {len(jobs)} rows, {told.total()} emails about {len(told)}")
