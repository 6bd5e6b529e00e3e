"""Pods are killed, and come back; what was accepted is done all the same."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded.client import Client
from embedded.demo.checks import heading
from tools.k8s_check.manifests import Workload
from tools.k8s_check.suite import Suite

_WORKERS = ("consumer", "relay")
_TABLE = "departments"
_FILE = f"{_TABLE}.csv"
_RETURN_SECONDS = 180.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Killed:
    """A workload whose pods were killed: which these were, and when, by the monotonic clock."""

    pod: Workload
    before: frozenset[str]
    at: float


def kill_who_works(suite: Suite, samples: Path) -> None:
    """Kill all that works on uploads, and upload a file before it is back."""
    workers = suite.servers(*_WORKERS)
    heading(f"{len(workers)} pods killed that work on uploads, and an upload meanwhile")
    with suite.administrator() as client:
        killed = kill(suite, workers)
        upload = client.upload(_FILE, samples / _FILE)
        must_return(suite, killed)
        _must_be_done(suite, client, upload["id"])


def kill_each_other_pod(suite: Suite, samples: Path) -> None:
    """Kill the others one after the other; then everything is ready, and works."""
    others = [each for each in suite.servers() if each not in suite.servers(*_WORKERS)]
    heading(f"{len(others)} pods killed, one after the other, and the work after that")
    for pod in others:
        must_return(suite, kill(suite, [pod]))
    for server in suite.servers():
        suite.must(f"{server} is ready", server, suite.cluster.wait_until_ready(server))
    with suite.administrator() as client:
        _must_be_done(suite, client, client.upload(_FILE, samples / _FILE)["id"])
        _must_be_answered(suite, client)


def kill(suite: Suite, pods: Sequence[Workload]) -> list[Killed]:
    """Kill pods, all of each workload."""
    killed = []
    for pod in pods:
        killed.append(Killed(pod, suite.cluster.incarnations(pod), time.monotonic()))
        suite.cluster.kill(pod)
    return killed


def must_return(suite: Suite, killed: Sequence[Killed]) -> None:
    """Check that there are other pods, and that they are ready; raises PodFailed."""
    for each in killed:
        wrong = _wait_for_others(suite, each) or suite.cluster.wait_until_ready(each.pod)
        waited = time.monotonic() - each.at
        suite.must(f"{each.pod} is killed and comes back ({waited:.0f} s)", each.pod, wrong)
        suite.returned.add(each.pod.name)


def _wait_for_others(suite: Suite, killed: Killed) -> str:
    """Wait until none is left that was killed, and another is there."""
    deadline = time.monotonic() + _RETURN_SECONDS
    while not (now := suite.cluster.incarnations(killed.pod)) or now & killed.before:
        if time.monotonic() > deadline:
            return f"there is no other after {_RETURN_SECONDS:.0f} s"
        time.sleep(_POLL_SECONDS)
    return ""


def _must_be_done(suite: Suite, client: Client, upload_id: str) -> None:
    """The file was loaded before: nothing changes."""
    upload = client.wait(upload_id)
    rows = upload["rows"]
    suite.checks.equal("the upload is done", upload["state"], "completed")
    suite.checks.equal("its rows are there already", rows["unchanged"], rows["read"])
    email = client.wait_for_email(upload_id)
    suite.checks.equal("the email about it is sent", email["state"], "sent")


def _must_be_answered(suite: Suite, client: Client) -> None:
    """By queries, which reads the rows, and by dbuploader, which takes one of them again."""
    rows = client.rows(_TABLE)
    suite.checks.equal("the rows are there still", len(rows) > 0, True)
    answer = client.session.post(f"{client.url}/v1/tables/{_TABLE}/rows", json=rows[:1])
    found = answer.status_code, answer.json().get("unchanged")
    suite.checks.equal("a batch with one of them is taken, and changes nothing", found, (200, 1))
