"""What `make k8s-check` has podman do, held with a podman that only answers."""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.images_check.commands import CommandFailed
from tools.k8s_check.manifests import Json, Manifests, Workload
from tools.k8s_check.podman.cluster import PodmanCluster, image_of

LABELS = {"app": "auth"}


def workload(kind: str, name: str, container: Json, labels: dict[str, str]) -> Json:
    pod = {"containers": [{"name": "it", "image": "muster/auth:local", **container}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template}}


PROBED = {
    "ports": [{"containerPort": 8080}],
    "startupProbe": {"exec": {"command": ["start?"]}, "periodSeconds": 0},
    "readinessProbe": {"exec": {"command": ["ready?"]}, "periodSeconds": 0},
    "livenessProbe": {"exec": {"command": ["alive?"]}, "periodSeconds": 0},
}
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "login"},
    "spec": {"selector": LABELS, "ports": [{"port": 8080}]},
}
MANIFESTS = Manifests(
    [
        workload("Deployment", "auth", PROBED, LABELS),
        workload("StatefulSet", "db", {"image": "mysql:9.7", **PROBED}, {"app": "db"}),
        {"kind": "Secret", "metadata": {"name": "password"}, "data": {}},
        SERVICE,
    ]
)
AUTH, DB = MANIFESTS.workloads()


class FakePodman:
    """Writes down the calls; containers have the states of `states`, of which the last stays."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.played: list[list[str]] = []
        self.failing: set[str] = set()
        self.states: deque[Json] = deque([{"Status": "running", "Pid": 0, "StartedAt": "now"}])

    def __call__(self, *arguments: str, **_timeout: float) -> str:
        self.calls.append(" ".join(arguments))
        if arguments[:2] == ("kube", "play"):
            objects = yaml.safe_load_all(Path(arguments[-1]).read_text())
            self.played.append([f"{each['kind']} {each['metadata']['name']}" for each in objects])
        if arguments[0] == "exec" and arguments[2] in self.failing:
            raise CommandFailed("no")
        if arguments[0] != "inspect":
            return ""
        state = self.states.popleft() if len(self.states) > 1 else self.states[0]
        networks = {"muster": {"IPAddress": "10.9.8.7"}}
        settings = {"NetworkSettings": {"Networks": networks}, "RestartCount": 2}
        return json.dumps([{"State": state, **settings}])


@pytest.fixture
def podman() -> FakePodman:
    return FakePodman()


@pytest.fixture
def cluster(podman: FakePodman, tmp_path: Path) -> PodmanCluster:
    anything: Any = podman
    return PodmanCluster(anything, MANIFESTS, tmp_path)


def test_the_backends_are_played_first(cluster: PodmanCluster, podman: FakePodman) -> None:
    with cluster.running():
        cluster.start()
        assert podman.played == [["Secret password"], ["Pod db-0"], ["Deployment auth"]]
    assert podman.calls[:2] == ["network ls --format={{.Name}}", "network create muster"]


def test_a_pod_is_called_by_the_names_of_its_services(
    cluster: PodmanCluster, podman: FakePodman
) -> None:
    cluster.start()
    assert [call.split()[3] for call in podman.calls] == [
        "--network=muster",
        "--network=muster:alias=login",
    ]


def test_all_is_removed_after_a_failure_too(cluster: PodmanCluster, podman: FakePodman) -> None:
    with pytest.raises(KeyboardInterrupt), cluster.running():
        raise KeyboardInterrupt
    assert "pod rm --all --force --time=0" in podman.calls
    assert "volume prune --force" in podman.calls
    assert "secret rm --all" in podman.calls


def test_being_ready_takes_every_probe(cluster: PodmanCluster, podman: FakePodman) -> None:
    assert cluster.wait_until_ready(AUTH) == ""
    asked = [call for call in podman.calls if call.startswith("exec")]
    assert asked == [f"exec auth-pod-it {probe}" for probe in ("start?", "ready?", "alive?")]
    podman.failing = {"ready?"}
    assert cluster.wait_until_ready(DB) == "its readinessProbe fails for 0 s: no"


def test_a_pod_is_reached_at_its_own_address(cluster: PodmanCluster) -> None:
    with cluster.reached(AUTH, 8080) as url:
        assert url == "http://10.9.8.7:8080"


def test_restarts_are_counted_as_podman_counts_them(cluster: PodmanCluster) -> None:
    assert cluster.restarts(AUTH) == 2


def test_what_does_not_run_is_no_incarnation(cluster: PodmanCluster, podman: FakePodman) -> None:
    assert cluster.incarnations(AUTH) == {"now"}
    podman.states = deque([{"Status": "exited", "StartedAt": "now"}])
    assert cluster.incarnations(AUTH) == frozenset()


def test_killing_kills_the_process_of_the_container(
    cluster: PodmanCluster, podman: FakePodman
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        podman.states = deque([{"Status": "running", "Pid": process.pid}])
        cluster.kill(AUTH)
        assert process.wait(timeout=60) == -signal.SIGKILL


def test_what_does_not_run_is_not_killed(
    cluster: PodmanCluster, podman: FakePodman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", pytest.fail)
    podman.states = deque([{"Status": "exited", "Pid": 0}])
    with pytest.raises(CommandFailed, match="auth-pod-it is exited"):
        cluster.kill(Workload(AUTH.manifest))


@pytest.mark.parametrize(
    ("named", "is_"),
    [
        ("muster/auth:local", "docker.io/muster/auth:check"),
        ("mysql:9.7", "docker.io/library/mysql:9.7"),
        ("axllent/mailpit:v1.34.0", "docker.io/axllent/mailpit:v1.34.0"),
    ],
)
def test_the_images_are_those_that_were_built_or_provided(named: str, is_: str) -> None:
    assert image_of(named) == is_
