"""The embedded default survives its fork server, and finishes what is begun when it is stopped."""

import threading
from collections.abc import Iterator

import psutil
import pytest
import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN, ON_EMBEDDED
from tests.e2e.families import Family
from tests.e2e.faults import PROCESSES
from tests.e2e.waiting import wait_until

pytestmark = pytest.mark.parametrize("family", [ON_EMBEDDED], indirect=True)
MOST_MEMORY = 440 * 1024 * 1024
KILLED = ("auth", "dbuploader-consumer")


def test_the_suite_survives_its_fork_server_and_stops_once_its_work_is_done(family: Family) -> None:
    with family.run() as suite:
        assert proportional_memory(suite) < MOST_MEMORY
        lose_the_fork_server(suite)
        with Client(suite.url, ADMIN, suite.admin_password()) as admin:
            upload = admin.upload("departments.csv", b"1,One")
            assert admin.wait(upload["id"])["state"] == "completed"
            answer = stop_within_a_request(suite, admin)
        assert answer.status_code == 202
        suite.start_again()
        with Client(suite.url, ADMIN, suite.admin_password()) as admin:
            assert admin.wait(answer.json()["id"])["state"] == "completed"


def proportional_memory(suite: SuiteProcess) -> int:
    """The memory of all processes, each page counted once. By Linux's count (Pss)."""
    supervisor = psutil.Process(suite.supervisor_pid)
    return sum(
        each.memory_full_info().pss for each in (supervisor, *supervisor.children(recursive=True))
    )


def lose_the_fork_server(suite: SuiteProcess) -> None:
    before = {name: suite.pid(name) for name in (*PROCESSES, "forkserver")}
    killed = ("forkserver", *KILLED)
    for name in killed:
        suite.kill(name)
    wait_until(lambda: all(suite.has_restarted(name, before[name]) for name in killed))
    assert [name for name in before if suite.has_restarted(name, before[name])] == [
        name for name in before if name in killed
    ]


def stop_within_a_request(suite: SuiteProcess, admin: Client) -> requests.Response:
    """The answer to an upload whose body was still being sent when the suite was told to stop."""
    begun = threading.Event()
    stopping = threading.Thread(target=lambda: begun.wait() and suite.stop())
    stopping.start()

    def body() -> Iterator[bytes]:
        yield b"2,"
        begun.set()
        for piece in (b"T", b"w", b"o"):
            threading.Event().wait(0.3)
            yield piece

    answer = admin.session.post(
        f"{suite.url}/v1/uploads",
        params={"filename": "departments.csv"},
        headers={"Content-Type": "text/csv"},
        data=body(),
    )
    stopping.join()
    return answer
