"""The employment database on a MySQL replication group with one primary, of which members die.

Needs MySQL: Debian's mysqld on the path, or what `make bench` has installed.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from sqlalchemy.exc import DBAPIError

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from muster.database import DatabaseUnavailable
from tests.e2e.families import Family
from tests.e2e.faults import Fault
from tests.e2e.storm import Storm, may_pass, run_storm
from tests.e2e.test_kills import SEED, assert_nothing_was_lost, figures, logged_in
from tests.e2e.waiting import wait_until
from tests.e2e.workload import make_files
from tests.servers.mariadb import administration, new_database, run
from tests.servers.mysqlgroup import GroupMember, mysql_group

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("clusters"), pytest.mark.timeout(1800)]

UPLOADS = 300
ROWS = 20
READERS = 2
# Longer than the group takes to see that members do not answer.
_MINORITY_SECONDS = 8.0
_ANSWER_SECONDS = 120.0
_ROLE = (
    "SELECT member_role FROM performance_schema.replication_group_members "
    "WHERE member_id = @@server_uuid AND member_state = 'ONLINE'"
)


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Sequence[GroupMember]]:
    with mysql_group(tmp_path / "group", 3, single_primary=True) as members:
        yield members


@pytest.fixture
def family(tmp_path: Path, members: Sequence[GroupMember]) -> Iterator[Family]:
    """All but the employment database is on files."""
    hosts = ",".join(f"127.0.0.1:{member.port}" for member in members)
    home = tmp_path / "home"
    with new_database(f"mysql://root@{hosts}/") as url:
        variables = {
            "MUSTER_EMPLOYMENT_DATABASE_URL": f"{url}?answer_seconds=20",
            "MUSTER_EMPLOYMENT_READ_URL": url,
        }
        yield Family(home, variables, home / "mail")


def is_primary(member: GroupMember) -> bool:
    try:
        with (
            closing(administration(member.url(answer_seconds=5))) as administrator,
            administrator.engine.connect() as connection,
        ):
            found = connection.exec_driver_sql(_ROLE).scalar()
    except (DatabaseUnavailable, DBAPIError):
        return False
    return bool(found == "PRIMARY")


class Group:
    """What is done to the members, and when."""

    def __init__(self, members: Sequence[GroupMember]) -> None:
        self._members = members
        self.struck: dict[str, float] = {}

    def primary(self, without: Sequence[GroupMember] = ()) -> GroupMember:
        found: list[GroupMember] = []

        def is_there() -> bool:
            found[:] = [each for each in self._members if each not in without and is_primary(each)]
            return bool(found)

        wait_until(is_there)
        return found[0]

    def others(self) -> list[GroupMember]:
        primary = self.primary()
        return [each for each in self._members if each is not primary]

    def kill_primary(self) -> None:
        """SIGKILL; it comes back once another has taken over, and is a secondary then."""
        primary = self.primary()
        self._note("kill")
        primary.kill()
        self.primary(without=[primary])
        primary.start()

    def switch_over(self) -> None:
        """As an operator would, for maintenance."""
        other = self.others()[0]
        self._note("switch")
        with closing(administration(other.url(answer_seconds=120))) as administrator:
            run(administrator, "SELECT group_replication_set_as_primary(@@server_uuid)")
        wait_until(lambda: is_primary(other))

    def freeze_primary(self) -> None:
        """It stands still until another has taken over, and does not know of that then."""
        primary = self.primary()
        self._note("freeze")
        primary.pause()
        self.primary(without=[primary])
        primary.resume()
        wait_until(lambda: not is_primary(primary))

    def leave_alone(self) -> None:
        """The primary is in the minority for a while: it takes nothing, and does not say so."""
        others = self.others()
        self._note("minority")
        for each in others:
            each.pause()
        threading.Event().wait(_MINORITY_SECONDS)
        for each in others:
            each.resume()

    def faults(self) -> list[Fault]:
        return [
            Fault(strike.__name__, strike)
            for strike in (
                self.kill_primary,
                self.switch_over,
                self.freeze_primary,
                self.leave_alone,
            )
        ]

    def _note(self, what: str) -> None:
        self.struck[what] = time.monotonic()


class Reader(threading.Thread):
    """Asks again and again, and notes an answer with less than one before it, or than is known.

    All hires are of one year, and none is removed: what is hired in it never becomes less. It sends
    the last entity tag; one that was replaced must not come back.
    """

    def __init__(self, client: Client, known: Callable[[], int]) -> None:
        super().__init__(name="reader", daemon=True)
        self._client = client
        self._known = known
        self._done = threading.Event()
        self.wrong: list[str] = []
        self.times: list[float] = []
        self.seconds: list[float] = []
        self.refused = 0
        self.most = 0
        self._tags = [""]

    def run(self) -> None:
        hired = 0
        while not self._done.is_set():
            at_least, began = self._known(), time.monotonic()
            try:
                answer = self._ask()
            except requests.RequestException as error:
                if not may_pass(error):
                    self.wrong.append(repr(error))
                    return
                self.refused += 1
                self._done.wait(0.05)
                continue
            self.times.append(time.monotonic())
            self.seconds.append(self.times[-1] - began)
            if answer.status_code == requests.codes.ok:
                hired = self._hired(answer)
            if hired < at_least:
                self.wrong.append(f"{hired} of {at_least}")
            self.most = max(self.most, hired)

    def _ask(self) -> requests.Response:
        url = f"{self._client.url}/v1/queries/hires-by-quarter?year=2021"
        headers = {"If-None-Match": self._tags[-1]}
        answer = self._client.session.get(url, headers=headers, timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        return answer

    def _hired(self, answer: requests.Response) -> int:
        tag = answer.headers["ETag"]
        if tag in self._tags:
            self.wrong.append(f"{tag} is back")
        self._tags.append(tag)
        rows = answer.json()["rows"]
        return sum(row[f"q{quarter}"] for row in rows for quarter in range(1, 5))

    def finish(self) -> None:
        self._done.set()
        self.join()


class Known:
    """The fewest hires that a read may show that begins now."""

    def __init__(self, admin: Client) -> None:
        self._admin = admin
        self._done = threading.Event()
        self._loaded = 0
        self.readers: list[Reader] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __call__(self) -> int:
        return max(self._loaded, *(reader.most for reader in self.readers))

    def finish(self) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            with suppress(requests.RequestException):
                self._loaded = sum(
                    upload["rows"]["inserted"]
                    for upload in self._admin.uploads()
                    if upload["table"] == "hired_employees"
                    and upload["state"] in ("completed", "completed_with_rejects")
                )
            self._done.wait(0.2)


def longest_pause(times: Sequence[float], since: float, until: float) -> float:
    """The longest time without one of `times` that ends in the span."""
    pauses = pairwise(sorted(times))
    return max((end - begin for begin, end in pauses if since < end <= until), default=0.0)


def upload_while_members_fail(
    family: Family, members: Sequence[GroupMember]
) -> tuple[Storm, Group, list[Reader]]:
    files, chance, group = make_files(UPLOADS, ROWS, SEED), random.Random(SEED), Group(members)
    with family.run() as suite, logged_in(suite) as (admin, users):
        known = Known(admin)
        known.readers = [Reader(_reader(suite), known) for _ in range(READERS)]
        for reader in known.readers:
            reader.start()
        storm = run_storm(users, admin, files, group.faults(), 4, chance)
        for reader in known.readers:
            reader.finish()
        known.finish()
        emails = assert_nothing_was_lost(family, admin, files, storm)
    print(figures(storm, emails))
    return storm, group, known.readers


def _reader(suite: SuiteProcess) -> Client:
    return Client(suite.url, "admin@example.com", suite.admin_password())


def test_nothing_is_lost_or_doubled_and_no_answer_goes_back_while_members_fail(
    family: Family, members: Sequence[GroupMember]
) -> None:
    storm, group, readers = upload_while_members_fail(family, members)
    ends = [*list(group.struck.values())[1:], time.monotonic()]
    read = [moment for reader in readers for moment in reader.times]
    for (what, began), end in zip(group.struck.items(), ends, strict=True):
        loads = longest_pause(list(storm.final_at.values()), began, end)
        answers = longest_pause(read, began, end)
        print(
            f"{what}: no load ended for {loads:.1f} s, no question was answered for {answers:.1f} s"
        )
    seconds = sorted(second for reader in readers for second in reader.seconds)
    print(
        f"{len(seconds)} questions answered, median {seconds[len(seconds) // 2] * 1000:.0f} ms, "
        f"{sum(reader.refused for reader in readers)} to be asked again"
    )
    assert [wrong for reader in readers for wrong in reader.wrong] == []
    assert max(reader.most for reader in readers) > 0
