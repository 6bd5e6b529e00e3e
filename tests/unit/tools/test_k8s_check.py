"""What `make k8s-check` calls well, held on a cluster that is none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from embedded.demo.checks import Checks
from tests.servers.http import serving
from tools.images_check.commands import CommandFailed
from tools.k8s_check import __main__ as program
from tools.k8s_check import kills, steps
from tools.k8s_check.kind import ours
from tools.k8s_check.manifests import Json, Manifests, Workload
from tools.k8s_check.overlay import start
from tools.k8s_check.suite import PodFailed, Suite


def workload(kind: str, name: str, component: str, *variables: str) -> Json:
    container = {
        "name": name,
        "image": f"muster/{name}:local",
        "env": [{"name": each, "value": "x"} for each in variables],
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    labels = {"app.kubernetes.io/component": component}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template}}


MANIFESTS = Manifests(
    [
        workload("StatefulSet", "auth-db", "database"),
        workload("Deployment", "auth", "http", "MUSTER_ADMIN_EMAIL", "MUSTER_ADMIN_PASSWORD"),
        workload("Deployment", "gateway", "http", "MUSTER_BROKER_URL"),
        workload("Deployment", "gateway-relay", "relay"),
    ]
)


class Gateway(BaseHTTPRequestHandler):
    """Lets the administrator in, or answers another status."""

    status = 200

    def do_POST(self) -> None:
        answer = b'{"access_token": "token"}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


class FakeCluster:
    """Everything is well, but for those in `wrong`; whoever is in `immortal` is not killed.

    Of those in `twins` there is a second pod, which is not killed either.
    """

    title = "nobody"

    def __init__(self) -> None:
        self.wrong: set[str] = set()
        self.immortal: set[str] = set()
        self.twins: set[str] = set()
        self.killed: list[str] = []
        self.done: list[str] = []
        self.restarted: dict[str, int] = {}
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.done.append("removed")

    def start(self) -> None:
        self.done.append("start")

    def _well(self, workload: Workload) -> str:
        return "no" if workload.name in self.wrong else ""

    wait_until_ready = _well

    @contextmanager
    def reached(self, workload: Workload, port: int) -> Iterator[str]:
        assert (workload.name, port) == ("gateway", 8080)
        yield self.url

    def incarnations(self, workload: Workload) -> frozenset[str]:
        twins = {"twin"} if workload.name in self.twins else set()
        return frozenset({f"run {self.killed.count(workload.name)}", *twins})

    def kill(self, workload: Workload) -> None:
        if workload.name not in self.immortal:
            self.killed.append(workload.name)

    def restarts(self, workload: Workload) -> int:
        return self.restarted.get(workload.name, 0)

    def log_of(self, workload: Workload) -> str:
        return f"the log of {workload.name}"

    def left_out(self) -> Sequence[Json]:
        return [{"not run": "Ingress", "times": 1}]


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeCluster, Suite]]:
    monkeypatch.setattr(kills, "_RETURN_SECONDS", 0)
    cluster = FakeCluster()
    with serving(Gateway) as port:
        cluster.url = f"http://127.0.0.1:{port}"
        yield cluster, Suite(cluster, MANIFESTS, Checks())


def test_all_is_started_at_once_and_has_to_become_ready(suite: tuple[FakeCluster, Suite]) -> None:
    cluster, check = suite
    start(check)
    assert cluster.done == ["start"]
    assert check.started == {each.name for each in MANIFESTS.workloads()}
    assert check.checks.wrong == []


def test_the_administrator_can_log_in_as_soon_as_auth_and_the_gateway_are_ready(
    suite: tuple[FakeCluster, Suite],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster, check = suite
    cluster.wrong = {"gateway-relay"}
    with pytest.raises(PodFailed):
        start(check)
    assert "ok     the administrator can log in (0 s)" in capsys.readouterr().out
    monkeypatch.setattr(Gateway, "status", 401)
    cluster.wrong = set()
    check.started.clear()
    start(check)
    assert check.checks.wrong[1:] == ["the administrator can log in (0 s)"]


def test_what_was_started_a_second_time_is_wrong(
    suite: tuple[FakeCluster, Suite], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, check = suite
    cluster.restarted = {"auth-db": 2}
    start(check)
    assert check.checks.wrong == ["nothing was started a second time"]
    assert "{'auth-db': 2}" in capsys.readouterr().out


def test_who_fails_shows_its_log_and_ends_it(
    suite: tuple[FakeCluster, Suite], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, check = suite
    cluster.wrong = {"gateway-relay"}
    with pytest.raises(PodFailed, match="gateway-relay"):
        start(check)
    assert check.checks.wrong == ["Deployment gateway-relay passes its probes (0 s)"]
    assert "the log of gateway-relay" in capsys.readouterr().out


def test_a_pod_that_is_killed_has_to_be_another_one_after_that(
    suite: tuple[FakeCluster, Suite],
) -> None:
    cluster, check = suite
    pods = check.servers("relay", "database")
    kills.must_return(check, kills.kill(check, pods))
    assert cluster.killed == ["auth-db", "gateway-relay"]
    assert check.returned == {"auth-db", "gateway-relay"}
    cluster.immortal = {"auth-db"}
    with pytest.raises(PodFailed, match="auth-db"):
        kills.must_return(check, kills.kill(check, pods))


def test_a_pod_whose_twin_serves_on_has_not_come_back(suite: tuple[FakeCluster, Suite]) -> None:
    cluster, check = suite
    cluster.twins = {"gateway-relay"}
    with pytest.raises(PodFailed, match="gateway-relay"):
        kills.must_return(check, kills.kill(check, check.servers("relay")))


def test_the_seconds_until_a_pod_is_back_begin_when_it_is_killed(
    suite: tuple[FakeCluster, Suite], capsys: pytest.CaptureFixture[str]
) -> None:
    _, check = suite
    (killed,) = kills.kill(check, check.servers("relay"))
    kills.must_return(check, [replace(killed, at=killed.at - 60)])
    assert "gateway-relay is killed and comes back (60 s)" in capsys.readouterr().out


def test_a_pod_that_comes_back_has_to_be_ready(suite: tuple[FakeCluster, Suite]) -> None:
    cluster, check = suite
    cluster.wrong = {"gateway-relay"}
    with pytest.raises(PodFailed):
        kills.must_return(check, kills.kill(check, check.servers("relay")))
    assert check.returned == set()


def test_our_images_are_those_that_kind_is_given() -> None:
    others = workload("StatefulSet", "mysql", "database")
    others["spec"]["template"]["spec"]["containers"][0]["image"] = "mysql:9.7"
    assert ours(Manifests([workload("Deployment", "auth", "http"), others])) == {
        "muster/auth:local"
    }


@pytest.mark.parametrize(
    ("happens", "status", "is_summed_up"),
    [
        (None, 0, True),
        (PodFailed("Deployment auth"), 1, True),
        (CommandFailed("podman ended with 1"), 1, False),
        (KeyboardInterrupt(), 130, False),
    ],
    ids=repr,
)
def test_it_ends_with_a_status_that_tells_and_removes_everything(
    happens: BaseException | None,
    status: int,
    is_summed_up: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = FakeCluster()
    taken: list[tuple[str, ...]] = []

    @contextmanager
    def chosen(_tree: object, _directory: Path) -> Iterator[FakeCluster]:
        yield cluster

    def take(suite: Suite, names: Sequence[str]) -> None:
        taken.append(tuple(names))
        suite.checks.equal(
            "something", "done", "wrong" if isinstance(happens, PodFailed) else "done"
        )
        if happens is not None:
            raise happens

    monkeypatch.setattr(program, "cluster_of", chosen)
    monkeypatch.setattr(program, "start", lambda _suite: None)
    monkeypatch.setattr(steps, "take", take)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert program.main(["--only", "demo,drain"]) == status
    assert taken == [("demo", "drain")]
    assert cluster.done == ["removed"]
    assert ("checks passed" in capsys.readouterr().out) is is_summed_up


def test_a_step_that_there_is_not_is_answered_by_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        program.main(["--only", "demo,dance"])
    assert "dance: there are demo, workers, pods, network" in capsys.readouterr().err


def podman_of(version: str) -> Any:
    return lambda *_arguments: version


@pytest.mark.parametrize("version", ["5.4.2", "10.0.0"])
def test_a_podman_that_can_play_secrets_is_taken(version: str) -> None:
    program.require_podman(podman_of(version))


def test_a_podman_that_cannot_play_secrets_is_named() -> None:
    with pytest.raises(CommandFailed, match=r"podman 5, as in Debian 13, and here is 4\.3\.1"):
        program.require_podman(podman_of("4.3.1"))
