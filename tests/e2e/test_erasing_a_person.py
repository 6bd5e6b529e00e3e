"""After an erasure the name stands nowhere in the suite, whichever of its processes died of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from embedded.client import Client, Json
from tests.e2e.conftest import ADMIN
from tests.e2e.crashing import CrashPoints, Scenario, Visit, is_change
from tests.e2e.families import Family
from tests.e2e.traces import places_of
from tests.e2e.waiting import wait_until
from tests.faults.ports import ANSWER
from tests.faults.table import crash_table

PASSWORD = "correct horse battery"
PERMISSIONS = ["uploads:write", "uploads:read", "uploads:undo", "rows:write", "rows:erase"]
HIRE = "2021-07-27T16:02:08Z"
TABLES = ("hired_employees", "former_rows", "ledger", "batch_answers")
PLACES = {
    "embedded": (
        "employment.db",
        {"store/records.db: uploads", "store/records.db: contents", "store", "mail"},
    ),
    "servers": ("employment", {"store: uploads", "store: csv.chunks"}),
}
"""The database, and where else a person stands. Emails that a server has are not Muster's."""
PROCESSES = ("gateway", "dbuploader-consumer", "notification-consumer")
# More than is kept with a record.
MANY = 500


class People:
    """One user of the family's suite, who sends people in all ways and erases them."""

    def __init__(self, family: Family, client: Client) -> None:
        self._family = family
        self._client = client
        self._key = 100_000

    def add(self) -> tuple[int, str]:
        """A person who stands everywhere; returns key and name."""
        self._key += 1
        key, name = self._key, f"Zoraida Q{self._key}x"
        others = "".join(f"{number},Ana {number},{HIRE},1,1\n" for number in range(1, MANY))
        row, bad = f"{key},{name},{HIRE},1,1\n", f"{key},{name},{name},1,1\n"
        for content, options in (
            (row, {}),
            (others + row, {}),
            (others + row.replace(name, f"{name} junior"), {}),
            (others + bad, {}),
            (bad, {"max_rejects": "0"}),
            (row, {"dry_run": "true"}),
        ):
            upload = self._client.upload("hired_employees.csv", content.encode(), **options)
            self._client.wait_for_email(self._client.wait(upload["id"])["id"])
        wrong = {"id": key, "name": name, "datetime": name, "department_id": 1, "job_id": 1}
        self._client.session.post(
            f"{self._client.url}/v1/tables/hired_employees/rows",
            json=[wrong],
            headers={"Idempotency-Key": f"k-{key}"},
        )
        return key, name

    def places_of(self, name: str) -> set[str]:
        return places_of(self._family, name)

    def ask(self, key: int) -> requests.Response:
        """Ask once for the erasure."""
        url = f"{self._client.url}/v1/tables/hired_employees/rows/{key}"
        return self._client.session.delete(url, timeout=60)

    def erase(self, key: int) -> Json:
        """Ask until it is accepted; returns the last erasure once all of the key are told."""
        deadline = time.monotonic() + 120
        accepted: Json = {}
        while not accepted and time.monotonic() < deadline:
            with suppress(requests.ConnectionError):
                answer = self.ask(key)
                if answer.status_code in {200, 202}:
                    accepted = answer.json()
            time.sleep(0.05)
        wait_until(lambda: all(self._is_told(each) for each in self._erasures(key)))
        return self._client.get_upload(accepted["id"])

    def _erasures(self, key: int) -> list[Json]:
        page = self._client.session.get(f"{self._client.url}/v1/uploads?limit=10", timeout=60)
        return [each for each in page.json()["uploads"] if each["erases"] == key]

    def _is_told(self, upload: Json) -> bool:
        return upload["email"] is not None and upload["email"]["state"] == "sent"


@contextmanager
def people(family: Family, points: CrashPoints | None = None) -> Iterator[People]:
    if points is not None:
        family = replace(family, environment={**family.environment, **points.environment()})
    with family.run() as suite, Client(suite.url, ADMIN, suite.admin_password()) as admin:
        admin.add_user("eva@example.com", PASSWORD, PERMISSIONS)
        with Client(suite.url, "eva@example.com", PASSWORD) as client:
            for table in ("departments", "jobs"):
                client.wait(client.upload(f"{table}.csv", b"1,One\n")["id"])
            yield People(family, client)


def kinds_of(places: set[str]) -> set[str]:
    """The places, files by the folder that holds them."""
    return {place if ": " in place else place.split("/")[0] for place in places}


def test_a_name_that_stood_everywhere_stands_nowhere(family: Family) -> None:
    with people(family) as some:
        key, name = some.add()
        before = some.places_of(name)
        database, kept = PLACES["servers" if family.environment else "embedded"]
        assert kinds_of(before) == {f"{database}: {table}" for table in TABLES} | kept
        assert family.environment or any(place.endswith(".rejects") for place in before)
        erasure = some.erase(key)
        assert erasure["state"] == "completed"
        assert some.places_of(name) == set()
        # Of a file of many rows those of the others are still in the table.
        assert some.ask(1).status_code == 200


def learn(some: People, points: CrashPoints) -> list[Visit]:
    """The calls that each process makes for an erasure."""
    key, _ = some.add()
    for process in PROCESSES:
        points.listen(process)
    time.sleep(3)
    idle = {process: points.heard(process) for process in PROCESSES}
    for process in PROCESSES:
        points.listen(process)
    some.erase(key)
    wait_until(lambda: all(points.is_settled(each) for each in PROCESSES if each != "gateway"))
    return [
        visit
        for process in PROCESSES
        for visit in Scenario(process).visits(points.heard(process), idle[process])
    ]


def assert_the_docs_know(points: CrashPoints, where: str) -> None:
    """All that an erasure changes, and an upload does not, stands in docs/guarantees.md."""
    of_uploads = crash_table(where)
    for process, told in crash_table(where, "erasure").items():
        answers = {call for call in points.known(process) if call.endswith(ANSWER)}
        if process in PROCESSES:
            changes = {call for call in answers if is_change(call.removesuffix(ANSWER))}
            behind = crash_table(where, "behind")[process]
            assert changes <= told | behind | {f"publisher.publish{ANSWER}"}
            assert told - of_uploads[process] <= changes


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_whoever_dies_at_whichever_step(family: Family, tmp_path: Path) -> None:
    points = CrashPoints(tmp_path / "points")
    with people(family, points) as some:
        visits = learn(some, points)
        missed, left = [], {}
        for visit in visits:
            key, name = some.add()
            [stop] = visit.stops
            points.arm(stop)
            some.erase(key)
            if points.is_armed(stop):
                points.disarm(stop)
                missed.append(stop)
            if places := some.places_of(name):
                left[str(stop)] = places
        assert_the_docs_know(points, "servers" if family.environment else "embedded")
    print(f"\n{len(visits)} crash points, {points.deaths.total()} deaths; missed: {missed}")
    assert left == {}
    assert len(visits) > 20
    assert len(missed) <= len(visits) // 5
