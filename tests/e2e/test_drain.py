"""SIGTERM to every process while it works: who was let in is answered, and nothing is lost."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import pytest
import requests

from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import PATIENTLY
from tests.e2e.draining import Load, Replica, Send, stop_under_load
from tests.e2e.pausing import paused
from tests.e2e.waiting import wait_until

pytestmark = pytest.mark.parametrize(
    "suite",
    [pytest.param("servers", marks=[pytest.mark.xdist_group("servers"), PATIENTLY])],
    indirect=True,
)

FIRST_ID = 910_000
BATCH = 4
WORKERS = ("dbuploader-consumer", "notification-consumer", "gateway-relay")
TRIES = 10
PAUSES = {"gateway": 0.2, "auth": 0.2, "dbuploader": 0.1, "queries": 0.05, "notification": 0.05}


def requests_of(suite: SuiteProcess, admin: Client, url: str) -> dict[str, tuple[Send, ...]]:
    """What is asked of each service at `url`."""
    headers = {"Authorization": str(admin.session.headers["Authorization"])}
    credentials = ("admin@example.com", suite.admin_password())

    def upload(content: Callable[[int], bytes | Iterator[bytes]]) -> Send:
        named = {"filename": "departments.csv"}
        typed = {**headers, "Content-Type": "text/csv"}
        return lambda session, number: session.post(
            f"{url}/v1/uploads", params=named, headers=typed, data=content(number)
        )

    def batch(session: requests.Session, number: int) -> requests.Response:
        rows = [{"id": number, "job": f"Drained {number}"}]
        return session.post(f"{url}/v1/tables/jobs/rows", headers=headers, json=rows)

    def query(session: requests.Session, _: int) -> requests.Response:
        return session.get(f"{url}/v1/queries/hires-by-quarter?year=2021", headers=headers)

    return {
        "gateway": (upload(lambda number: b"%d,Drained" % number), upload(slowly)),
        "auth": (lambda session, _: session.post(f"{url}/v1/login", auth=credentials),),
        "dbuploader": (batch,),
        "queries": (query,),
        "notification": (lambda session, _: session.get(f"{url}/metrics"),),
    }


def slowly(number: int) -> Iterator[bytes]:
    """A file that comes in pieces, over more than a second."""
    for piece in (b"%d,", b"Drained", b" %d"):
        threading.Event().wait(0.4)
        yield piece.replace(b"%d", str(number).encode())


def loads_on(replica: Replica, suite: SuiteProcess, admin: Client) -> list[Load]:
    sends = requests_of(suite, admin, replica.url)[replica.service]
    kinds = zip(cycle(sends), (True, True, False, False), strict=False)
    return [
        Load(send, PAUSES[replica.service], fresh=fresh, first=FIRST_ID + 1000 * number)
        for number, (send, fresh) in enumerate(kinds)
    ]


def test_every_http_process_answers_all_whom_it_let_in(suite: SuiteProcess, admin: Client) -> None:
    loads = {
        replica.service: (replica, loads_on(replica, suite, admin))
        for replica in (Replica(service, suite) for service in PAUSES)
    }
    stop_under_load(dict(loads.values()))
    lost: dict[str, list[Any]] = {
        "gateway": lost_uploads(admin, loads["gateway"][1]),
        "dbuploader": lost_rows(admin, loads["dbuploader"][1]),
    }
    for service, (_, each) in loads.items():
        answered, failures = answers(each), [text for load in each for text in load.failures]
        gone = len(lost.get(service, []))
        print(f"{service}: {len(answered)} answered, {len(failures)} failed, {gone} lost")
        assert failures == []
        assert all(load.answered and load.refused for load in each)
    assert lost == {"gateway": [], "dbuploader": []}


def answers(loads: Sequence[Load]) -> list[requests.Response]:
    return [answer for load in loads for answer in load.answered]


def lost_uploads(admin: Client, loads: Sequence[Load]) -> list[str]:
    accepted = [answer.json()["id"] for answer in answers(loads)]
    return [id_ for id_ in accepted if admin.wait(id_)["state"] != "completed"]


def lost_rows(admin: Client, loads: Sequence[Load]) -> list[int]:
    sent = [json.loads(answer.request.body or "")[0]["id"] for answer in answers(loads)]
    return sorted(set(sent) - {row["id"] for row in admin.rows("jobs")})


@pytest.mark.parametrize("name", WORKERS)
def test_no_upload_is_lost_when_a_worker_is_stopped(
    suite: SuiteProcess, admin: Client, name: str
) -> None:
    before = suite.pid(name)
    uploads, in_hand = stop_at_work(suite, admin, name)
    uploads.append(admin.upload("jobs.csv", b"%d,Afterwards" % FIRST_ID)["id"])
    finished = [admin.wait(id_)["state"] for id_ in uploads]
    emails = [admin.wait_for_email(id_)["state"] for id_ in uploads]
    wait_until(lambda: suite.has_restarted(name, before))
    print(
        f"{name}: {len(uploads)} uploads, {len(in_hand)} of them unfinished at SIGTERM, "
        f"{finished.count('completed')} completed, {emails.count('sent')} emails sent"
    )
    assert set(finished) == {"completed"}
    assert set(emails) == {"sent"}


def stop_at_work(suite: SuiteProcess, admin: Client, name: str) -> tuple[list[str], list[str]]:
    """SIGTERM to the worker; returns uploads, and those of them that were unfinished then."""
    uploads: list[str] = []
    for _ in range(TRIES):
        uploads += [admin.upload("jobs.csv", content)["id"] for content in files(name)]
        if name == "notification-consumer":
            admin.wait(uploads[-BATCH])
        # A busy machine may come back to us only when all is done.
        with paused(suite.pid(name)):
            in_hand = [id_ for id_ in uploads if emailed(admin.get_upload(id_)) is None]
            if in_hand:
                os.kill(suite.pid(name), signal.SIGTERM)
                return uploads, in_hand
    raise AssertionError(f"{name} is never met at its work")


def emailed(upload: Json) -> str | None:
    """What became of the email, or None while it is to be sent."""
    state = (upload["email"] or {}).get("state")
    return None if state == "waiting" else state


def files(worker: str) -> list[bytes]:
    """A file that takes its time, and some that wait behind it."""
    sizes = (20_000, *[1] * (BATCH - 1))
    return [
        "".join(f"{FIRST_ID + row},Job {row} for {worker}\n" for row in range(size)).encode()
        for size in sizes
    ]
