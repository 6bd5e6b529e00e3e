"""The process that sends webhooks dies at each of its calls: none is lost, and none is dead."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embedded.client import Client, Json
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN
from tests.e2e.crashing import CrashPoints, Stop, changes_of
from tests.e2e.families import embedded_family
from tests.e2e.waiting import wait_until
from tests.faults.ports import ANSWER
from tests.faults.table import crash_table
from tests.servers.webhook_receiver import Answer, Receiver, receiving, status

PROCESS = "notification-webhooks"
COMMIT, RECORD = "database.commit", "uploads.get"
# The lease, what is due, what became of it after it was sent, and the lease given back.
TRANSACTIONS = range(1, 5)
OF_A_TEST = [
    Stop(PROCESS, call, number) for number in TRANSACTIONS for call in (COMMIT, COMMIT + ANSWER)
]
TAKEN = status("204 No Content")
OF_AN_UPLOAD = [Stop(PROCESS, RECORD), Stop(PROCESS, RECORD + ANSWER)]


@pytest.mark.chaos
@pytest.mark.xdist_group("storms")
@pytest.mark.timeout(1800)
def test_no_webhook_is_lost_wherever_its_sender_dies(tmp_path: Path) -> None:
    points = CrashPoints(tmp_path / "points")
    family = embedded_family(tmp_path)
    allowed = {"MUSTER_WEBHOOK_ALLOW": "127.0.0.1/32"}
    family = replace(family, environment={**family.environment, **points.environment(), **allowed})
    with (
        receiving(TAKEN, None) as receiver,
        family.run() as suite,
        Client(suite.url, ADMIN, suite.admin_password()) as admin,
    ):
        webhooks = [
            order_test(admin, receiver, str(stop), dies(points, stop)) for stop in OF_A_TEST
        ]
        killed = threading.Event()
        receiver.answer = kill_first(suite, killed)
        webhooks.append(order_test(admin, receiver, "within the call", killed.is_set))
        for stop in OF_AN_UPLOAD:
            has_died = dies(points, stop)
            admin.upload("jobs.csv", b"1,Cook\n")
            wait_until(has_died)
        expected = ["delivered"] * (1 + len(OF_AN_UPLOAD))
        for webhook in webhooks:
            wait_until(lambda webhook=webhook: states(admin, webhook) == expected)  # type: ignore[misc]
        assert changes_of(points, PROCESS) <= crash_table()[PROCESS] <= points.known(PROCESS)
        sent = {each["id"] for webhook in webhooks for each in deliveries(admin, webhook)}
    assert_sent(receiver, sent, points.deaths.total() + 1)


def order_test(client: Client, receiver: Receiver, name: str, has_died: Callable[[], bool]) -> Json:
    """A new webhook of that name, for whose test its sender has died."""
    new = {"url": f"http://127.0.0.1:{receiver.port}/", "description": name}
    answer = client.session.post(f"{client.url}/v1/webhooks", json=new)
    answer.raise_for_status()
    webhook: Json = answer.json()
    client.session.post(path_of(client, webhook, "/test")).raise_for_status()
    wait_until(has_died)
    return webhook


def dies(points: CrashPoints, stop: Stop) -> Callable[[], bool]:
    """Has the sender die at the stop; returns what says whether it has.

    Two commits of its housekeeping come first, each time that it begins, and count for none.
    """
    points.listen(PROCESS)
    wait_until(lambda: points.heard(PROCESS).count(COMMIT + ANSWER) >= 2)
    points.arm(stop)
    return lambda: not points.is_armed(stop)


def kill_first(suite: SuiteProcess, killed: threading.Event) -> Answer:
    """Takes every call; of the first, its sender is dead before it hears so."""

    def answer(connection: socket.socket) -> None:
        if not killed.is_set() and suite.kill(PROCESS):
            killed.set()
        TAKEN(connection)

    return answer


def path_of(client: Client, webhook: Json, below: str) -> str:
    return f"{client.url}/v1/webhooks/{webhook['id']}{below}"


def states(client: Client, webhook: Json) -> list[str]:
    return [each["state"] for each in deliveries(client, webhook)]


def deliveries(client: Client, webhook: Json) -> list[Json]:
    answer = client.session.get(path_of(client, webhook, "/deliveries"))
    answer.raise_for_status()
    found: list[Json] = answer.json()["deliveries"]
    return found


def assert_sent(receiver: Receiver, sent: set[str], deaths: int) -> None:
    """Each came, and again by its own `webhook-id`, at most once for each death."""
    calls = Counter(call.headers["webhook-id"] for call in receiver.calls)
    assert calls.keys() == sent
    repeated = calls.total() - len(sent)
    print(f"\n{deaths} deaths, {len(sent)} deliveries, {repeated} came again")
    # What was taken, and not yet entered as delivered: in the call, and right after it.
    assert 2 <= repeated <= deaths
