"""What `make k8s-check` asks of a cluster, held with a kubectl that only answers."""

import json
import os
import sys
from pathlib import Path

import pytest

from tools.images_check.commands import CommandFailed
from tools.k8s_check.kubectl import KubectlCluster
from tools.k8s_check.manifests import Json, Manifests

Answers = dict[str, list[tuple[int, str]]]


def workload(kind: str, name: str) -> Json:
    labels = {"app": name}
    spec: Json = {"template": {"metadata": {"labels": labels}, "spec": {"containers": []}}}
    if kind != "Job":
        spec["selector"] = {"matchLabels": labels}
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


MANIFESTS = Manifests(
    [
        {"kind": "Namespace", "metadata": {"name": "muster"}},
        {"kind": "StorageClass", "metadata": {"name": "disks"}},
        workload("Deployment", "auth"),
    ]
)
(AUTH,) = MANIFESTS.workloads()


class Fake:
    """A cluster whose kubectl gives `answers`, and the calls made so far."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        program = directory / "kubectl"
        stand_in = Path(__file__).parent / "kubectl.py"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{stand_in}" "$@"\n')
        program.chmod(0o755)
        self.answer({})
        self.cluster = KubectlCluster(
            Path("overlay"),
            MANIFESTS,
            {**os.environ, "FAKE_KUBECTL": str(directory)},
            str(program),
            ready_seconds=0,
        )

    def answer(self, answers: Answers) -> None:
        (self._directory / "answers.json").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[str]:
        path = self._directory / "calls"
        return path.read_text().splitlines() if path.exists() else []


def pods(*containers: Json, uid: str = "one", leaving: bool = False) -> str:
    metadata = {"uid": uid, **({"deletionTimestamp": "now"} if leaving else {})}
    pod = {"metadata": metadata, "status": {"containerStatuses": list(containers)}}
    return json.dumps({"items": [pod]})


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_all_of_it_is_applied_and_deleted(fake: Fake) -> None:
    with fake.cluster.running():
        fake.cluster.start()
    assert fake.calls == [
        "get namespace/muster --ignore-not-found --output=name",
        "get storageclass/disks --ignore-not-found --output=name",
        "apply --kustomize overlay",
        "delete --kustomize overlay --ignore-not-found --timeout=300s",
    ]


def test_it_is_deleted_after_a_failure_too(fake: Fake) -> None:
    with pytest.raises(KeyboardInterrupt), fake.cluster.running():
        raise KeyboardInterrupt
    assert fake.calls[-1].startswith("delete --kustomize overlay")


@pytest.mark.parametrize("there", ["namespace/muster", "storageclass/disks"])
def test_what_was_there_before_is_neither_changed_nor_deleted(fake: Fake, there: str) -> None:
    fake.answer({f"get {there}": [(0, there)]})
    with pytest.raises(CommandFailed, match=f"{there} is in the cluster"), fake.cluster.running():
        fake.cluster.start()
    assert all(call.startswith("get ") for call in fake.calls)


def test_a_pod_is_ready_once_all_of_it_is(fake: Fake) -> None:
    started = {"started": True, "ready": False}
    fake.answer({"get pods": [(0, pods(started))]})
    assert fake.cluster.wait_until_ready(AUTH) != ""
    fake.answer({"get pods": [(0, pods({"started": True, "ready": True}))]})
    assert fake.cluster.wait_until_ready(AUTH) == ""
    assert "rollout status deployment/auth --timeout=0s --namespace=muster" in fake.calls


def test_a_pod_that_leaves_or_is_not_there_yet_is_not_ready(fake: Fake) -> None:
    fake.answer({"get pods": [(0, pods({"started": True, "ready": True}, leaving=True))]})
    assert fake.cluster.wait_until_ready(AUTH) != ""
    assert fake.cluster.incarnations(AUTH) == frozenset()
    fake.answer({"get pods": [(0, json.dumps({"items": [{"metadata": {}}]}))]})
    assert fake.cluster.wait_until_ready(AUTH) != ""
    fake.answer({"get pods": [(0, json.dumps({"items": []})), (0, "")]})
    assert fake.cluster.wait_until_ready(AUTH) == "not within 0 s\n"


def test_a_rollout_that_does_not_end_says_so(fake: Fake) -> None:
    fake.answer({"rollout": [(1, "timed out")], "get pods": [(0, "auth-x  CrashLoop")]})
    wrong = fake.cluster.wait_until_ready(AUTH)
    assert "timed out" in wrong
    assert "CrashLoop" in wrong


def test_another_pod_is_another_incarnation_and_another_container_is_not(fake: Fake) -> None:
    one, two = ({"containerID": each, "ready": True} for each in "ab")
    fake.answer({"get pods": [(0, pods(one)), (0, pods(two)), (0, pods(two, uid="two"))]})
    found = [fake.cluster.incarnations(AUTH) for _ in range(3)]
    assert found == [{"one"}, {"one"}, {"two"}]


def test_killing_deletes_the_pods_of_the_selector_alone(fake: Fake) -> None:
    fake.cluster.kill(AUTH)
    assert fake.calls == [
        "delete pods --selector=app=auth --grace-period=0 --force --wait=false --namespace=muster"
    ]


def test_a_pod_is_reached_by_a_port_of_this_machine(fake: Fake) -> None:
    fake.answer({"port-forward": [(0, "Forwarding from 127.0.0.1:4567 -> 8080")]})
    with fake.cluster.reached(AUTH, 8080) as url:
        assert url == "http://127.0.0.1:4567"
    wanted = "port-forward deployment/auth :8080 --address=127.0.0.1 --namespace=muster"
    assert fake.calls == [wanted]


def test_a_pod_that_is_not_reached_says_why(fake: Fake) -> None:
    fake.answer({"port-forward": [(1, "error: no running pod")]})
    with (
        pytest.raises(CommandFailed, match="no running pod"),
        fake.cluster.reached(AUTH, 8080),
    ):
        pass


def test_the_log_is_that_of_all_containers(fake: Fake) -> None:
    fake.answer({"logs": [(0, "why")]})
    assert fake.cluster.log_of(AUTH) == "why"
    assert fake.calls == [
        "logs --selector=app=auth --all-containers --ignore-errors --tail=10 --namespace=muster"
    ]


def test_a_cluster_runs_all_of_it(fake: Fake) -> None:
    assert list(fake.cluster.left_out()) == []


def test_restarts_are_those_of_all_containers_of_the_pods(fake: Fake) -> None:
    kinds = ("initContainerStatuses", "containerStatuses")
    status = {kind: [{"restartCount": 1}, {"restartCount": 2}] for kind in kinds}
    fake.answer({"get pods": [(0, json.dumps({"items": [{"metadata": {}, "status": status}]}))]})
    assert fake.cluster.restarts(AUTH) == 6


def test_a_workload_that_is_scaled_to_nothing_is_waited_for(fake: Fake) -> None:
    fake.cluster.scale(AUTH, 0)
    fake.cluster.scale(AUTH, 1)
    assert fake.calls == [
        "scale deployment/auth --replicas=0 --namespace=muster",
        "wait --for=delete pod --selector=app=auth --timeout=300s --namespace=muster",
        "scale deployment/auth --replicas=1 --namespace=muster",
    ]


def test_nodes_that_take_no_pods_are_left_out(fake: Fake) -> None:
    nodes: list[Json] = [
        {"metadata": {"name": "one"}, "spec": {}},
        {"metadata": {"name": "two"}, "spec": {"unschedulable": True}},
        {"metadata": {"name": "three"}, "spec": {"taints": [{"effect": "NoSchedule"}]}},
        {"metadata": {"name": "four"}, "spec": {"taints": [{"effect": "PreferNoSchedule"}]}},
    ]
    fake.answer({"get nodes": [(0, json.dumps({"items": nodes}))]})
    assert fake.cluster.schedulable_nodes() == ["one", "four"]
