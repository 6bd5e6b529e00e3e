"""kill -9 of every process, and every server, while files are loaded: what was accepted is kept."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN
from tests.e2e.families import Family, embedded_family
from tests.e2e.faults import WORKERS, Fault, outage, process_kills, server_kill, supervisor_kill
from tests.e2e.model import Model
from tests.e2e.storm import Storm, run_storm
from tests.e2e.waiting import wait_until
from tests.e2e.workload import UploadFile, make_files

USERS = 4
PASSWORD = "correct horse battery"
SEED = 20210101

Faults = Callable[[Family, SuiteProcess, random.Random], list[Fault]]


@contextmanager
def logged_in(suite: SuiteProcess) -> Iterator[tuple[Client, list[Client]]]:
    permissions = ["uploads:write", "uploads:read"]
    with Client(suite.url, ADMIN, suite.admin_password()) as admin:
        names = [f"user{number}@example.com" for number in range(USERS)]
        for name in names:
            admin.add_user(name, PASSWORD, permissions)
        yield admin, [Client(suite.url, name, PASSWORD) for name in names]


def upload_under_fire(
    family: Family, files: list[UploadFile], make_faults: Faults, pause: float
) -> Storm:
    chance = random.Random(SEED)
    with family.run() as suite, logged_in(suite) as (admin, users):
        faults = make_faults(family, suite, chance)
        storm = run_storm(users, admin, files, faults, pause, chance)
        emails = assert_nothing_was_lost(family, admin, files, storm)
    print(figures(storm, emails))
    return storm


def figures(storm: Storm, emails: Counter[str]) -> str:
    states = dict(Counter(upload["state"] for upload in storm.final.values()))
    return (
        f"\n{len(storm.strikes)} faults: {'; '.join(storm.strikes)}."
        f"\n{len(storm.final)} uploads: {states}; {storm.repeats} posts repeated;"
        f"\neach final within {storm.seconds_to_final:.1f} s of the last fault and its 202;"
        f" {emails.total()} emails, of which {emails.total() - len(emails)} repeated."
    )


def assert_nothing_was_lost(
    family: Family, admin: Client, files: list[UploadFile], storm: Storm
) -> Counter[str]:
    """Fails if anything was; returns how many emails came with which Message-ID."""
    wait_until(lambda: all(is_told(upload) for upload in admin.uploads()))
    listed = list(reversed(admin.uploads()))
    by_id = {file.accepted["id"]: file for file in files}
    assert sorted(upload["id"] for upload in listed) == sorted(by_id)
    # What was final once has stayed so.
    assert [storm.final[each["id"]] | {"email": each["email"]} for each in listed] == listed
    loader_kills = sum(strike.startswith(("dbuploader-c", "the s")) for strike in storm.strikes)
    model = Model()
    for upload in listed:
        if is_poisoned(upload):
            assert loader_kills >= 3
        else:
            expected = model.load(by_id[upload["id"]])
            assert (upload["state"], upload["rows"]) == expected, upload["error"]
    model.assert_held_by(admin)
    message_ids = {f"<upload-{upload['id']}.{upload['state']}@localhost>" for upload in listed}
    emails = announced(family)
    assert set(emails) == message_ids
    return emails


def is_told(upload: Json) -> bool:
    return bool(upload["email"]) and upload["email"]["state"] == "sent"


def is_poisoned(upload: Json) -> bool:
    """Whether three kills of the loader came with this upload in its hands (promise 9)."""
    poisoned = bool(upload["error"]) and upload["error"]["code"] == "too-many-attempts"
    assert not poisoned or not any(upload["rows"].values())
    return poisoned


def announced(family: Family) -> Counter[str]:
    return Counter(str(email["Message-ID"]).strip() for email in family.emails())


def each_worker_once(_family: Family, suite: SuiteProcess, chance: random.Random) -> list[Fault]:
    return process_kills(suite, chance, WORKERS)


def every_process_often(_family: Family, suite: SuiteProcess, chance: random.Random) -> list[Fault]:
    rounds = [[*process_kills(suite, chance), supervisor_kill(suite)] for _ in range(6)]
    return list(chain.from_iterable(rounds))


def everything(family: Family, suite: SuiteProcess, chance: random.Random) -> list[Fault]:
    databases = [name for name in family.servers if name != "SMTP"]
    restarts = [server_kill(name, family.servers[name], chance) for name in databases * 2]
    faults = [*restarts, supervisor_kill(suite)]
    chance.shuffle(faults)
    # A suite isn't started while no mail server answers: the supervisor is not killed meanwhile.
    no_mail = outage("SMTP", family.servers["SMTP"], 60, process_kills(suite, chance))
    return [*faults[:3], *no_mail, *faults[3:]]


@pytest.mark.timeout(1200)
def test_nothing_accepted_is_lost_or_doubled_when_workers_are_killed(tmp_path: Path) -> None:
    files = make_files(5, 1000, SEED)
    upload_under_fire(embedded_family(tmp_path), files, each_worker_once, pause=0.3)


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(1200)
def test_nothing_accepted_is_lost_or_doubled_in_a_long_storm(tmp_path: Path) -> None:
    files = make_files(108, 5000, SEED)
    upload_under_fire(embedded_family(tmp_path), files, every_process_often, pause=1)


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(1200)
def test_nothing_accepted_is_lost_or_doubled_when_the_servers_die(own_servers: Family) -> None:
    storm = upload_under_fire(own_servers, make_files(200, 3000, SEED), everything, pause=3)
    assert storm.seconds_to_final < 60
