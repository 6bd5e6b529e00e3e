"""kill -9 of every process while files are uploaded and loaded: what was accepted is kept."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.client import Client, Json
from embedded.demo.mailbox import emails
from embedded.running import RunningSuite
from tests.e2e.conftest import ADMIN
from tests.e2e.storm import CONTESTED_ID, DEPARTMENT, JOB, Killer, Sent, Uploader, make_file
from tests.unit.embedded.supervising import wait_until

USERS = 3
PASSWORD = "correct horse battery"
MEAN_PAUSE = 0.5


@pytest.fixture
def own_suite(tmp_path: Path) -> Iterator[Killer]:
    killer = Killer(RunningSuite(tmp_path / "home"), seed=20210101)
    yield killer
    killer.suite.stop()


def log_in_users(suite: RunningSuite) -> list[Client]:
    permissions = ["uploads:write", "uploads:read"]
    with Client(suite.url, ADMIN, suite.admin_password()) as admin:
        admin.upload("departments.csv", f"{DEPARTMENT},Seven".encode())
        admin.upload("jobs.csv", f"{JOB},Eleven".encode())
        emails = [f"user{number}@example.com" for number in range(USERS)]
        for email in emails:
            admin.add_user(email, PASSWORD, permissions)
    return [Client(suite.url, email, PASSWORD) for email in emails]


def upload_under_fire(killer: Killer, uploads: int, rows: int, kills: int) -> list[Sent]:
    files = [make_file(number, rows) for number in range(1, uploads + 1)]
    clients = log_in_users(killer.suite)
    pace = kills * MEAN_PAUSE * USERS / uploads
    uploaders = [
        Uploader(client, files[number::USERS], pace, seconds=300)
        for number, client in enumerate(clients)
    ]
    for uploader in uploaders:
        uploader.start()
    killer.kill(kills, pause=2 * MEAN_PAUSE)
    for uploader in uploaders:
        uploader.join()
        uploader.client.close()
    print(
        f"\n{sum(killer.killed.values())} kills: {dict(killer.killed)}; {uploads} uploads,"
        f" {sum(uploader.repeats for uploader in uploaders)} posts repeated"
    )
    return files


def assert_nothing_was_lost(suite: RunningSuite, files: list[Sent]) -> None:
    with Client(suite.url, ADMIN, suite.admin_password()) as admin:
        wait_until(lambda: not unfinished(admin), 300)
        listed = {upload["id"]: upload for upload in newest_first(admin)}
        assert set(listed) == {file.accepted["id"] for file in files}
        for file in files:
            assert_conserved(listed[file.accepted["id"]], file)
        loaded = [file for file in files if listed[file.accepted["id"]]["state"] != "failed"]
        assert_tables_hold(admin, loaded, newest=next(iter(listed)))
        wait_until(lambda: set(listed) <= set(announced(suite)), 120)
        assert max(announced(suite).values()) == 1


def newest_first(admin: Client) -> list[Json]:
    return [upload for upload in admin.uploads() if upload["table"] == "hired_employees"]


def unfinished(admin: Client) -> list[Json]:
    states = {"queued", "validating", "loading"}
    return [upload for upload in admin.uploads() if upload["state"] in states]


def assert_conserved(upload: Json, file: Sent) -> None:
    rows = upload["rows"]
    if upload["state"] == "failed":
        # Promise 9: three kills of the loader with the same file in its hands.
        assert upload["error"]["code"] == "too-many-attempts"
        assert rows["inserted"] + rows["updated"] + rows["unchanged"] == 0
        return
    assert upload["state"] == "completed_with_rejects"
    assert rows["read"] == len(file.names) + 1
    assert rows["rejected"] == 1
    assert rows["inserted"] + rows["updated"] + rows["unchanged"] == len(file.names)
    assert rows["unprocessed"] == 0


def assert_tables_hold(admin: Client, loaded: list[Sent], newest: str) -> None:
    expected = {id_: name for file in loaded for id_, name in file.names.items()}
    expected[CONTESTED_ID] = next(
        file.names[CONTESTED_ID] for file in loaded if file.accepted["id"] == newest
    )
    rows = admin.rows("hired_employees")
    assert len(rows) == len(expected)
    assert {row["id"]: row["name"] for row in rows} == expected
    answer = admin.query("departments-above-mean", 2021)
    assert answer["mean"] == len(expected)


def announced(suite: RunningSuite) -> Counter[str]:
    """How many emails stand in the mailbox about each upload."""
    ids = (str(email["Message-ID"]).strip() for email in emails(suite.home / "mail"))
    return Counter(id_.removeprefix("<upload-").partition(".")[0] for id_ in ids)


def test_nothing_accepted_is_lost_or_doubled_when_processes_are_killed(own_suite: Killer) -> None:
    files = upload_under_fire(own_suite, uploads=15, rows=5000, kills=9)
    assert_nothing_was_lost(own_suite.suite, files)


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_nothing_accepted_is_lost_or_doubled_in_a_long_storm(own_suite: Killer) -> None:
    files = upload_under_fire(own_suite, uploads=60, rows=10_000, kills=60)
    assert_nothing_was_lost(own_suite.suite, files)
