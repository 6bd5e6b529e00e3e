"""The step `network` of `make k8s-check`, on a cluster that enforces what it is told to."""

from typing import Any

import pytest

from embedded.demo.checks import Checks
from tools.k8s_check.edges import Edge, container_port, let_in
from tools.k8s_check.manifests import Json, Manifests, Workload, name_of
from tools.k8s_check.network import check_the_network
from tools.k8s_check.outside import POD
from tools.k8s_check.suite import Suite
from tools.k8s_check.trial import Trial

NAMES, API_SERVER = "10.96.0.10", "10.96.0.1"


class Enforcer:
    """Pods whose addresses are their names, where these edges are open."""

    def __init__(self, manifests: Manifests, opened: set[Edge]) -> None:
        self.manifests = manifests
        self.opened = opened
        self.tried: set[str] = set()

    def pods(self, workload: Workload) -> list[Json]:
        return [{"metadata": {"name": workload.name}, "status": {"podIP": workload.name}}]

    def kubectl(self, *arguments: str) -> str:
        return f"{NAMES} 53 9153" if "kube-dns" in arguments else f"{API_SERVER} 443"

    def execute(self, pod: str, *argv: str) -> str:
        words = iter(argv[4:])
        tried = [(host, int(port)) for host, port in zip(words, words, strict=True)]
        self.tried.add(pod)
        return "\n".join(f"{h} {p}" for h, p in tried if self._is_open(pod, h, p))

    def run(self, *argv: str) -> str:
        return self.execute(POD, *argv)

    def _is_open(self, source: str, host: str, port: int) -> bool:
        if host == NAMES:
            return True
        for target, number in self._behind(host, port):
            if Edge(source, target, number) in self.opened:
                return True
        return False

    def _behind(self, host: str, port: int) -> list[tuple[str, int]]:
        service, _, rest = host.partition(".")
        if not rest:
            return [(host, port)]
        return [
            (workload.name, container_port(workload, each.get("targetPort", port)))
            for manifest in self.manifests.of("Service")
            if name_of(manifest) == service
            for each in manifest["spec"]["ports"]
            if each["port"] == port
            for workload in self.manifests.selected_by(manifest["spec"]["selector"])
        ]


def differences(manifests: Manifests, opened: set[Edge]) -> tuple[list[str], Enforcer]:
    """What the step finds wrong where these edges are open."""
    cluster: Any = Enforcer(manifests, {*opened, Edge(POD, "gateway", 8080)})
    checks = Checks()
    check_the_network(Trial(Suite(cluster, manifests, checks), cluster, cluster))
    assert checks.made == 1
    return checks.wrong, cluster


def test_a_cluster_that_enforces_the_policies_is_well(
    dev: Manifests, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, cluster = differences(dev, let_in(dev))
    assert wrong == []
    servers = {each.name for each in dev.workloads()}
    assert cluster.tried == {POD, *servers}
    assert "connections tried from 16 pods" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({Edge("mailpit", "auth", 8080)}, "mailpit to auth:8080, by auth.muster.svc:8080, is open"),
        (
            {Edge("gateway", "auth", 8080)},
            "gateway to auth:8080, by auth.muster.svc:8080, is closed",
        ),
        ({Edge(POD, "auth-db", 3306)}, "outside to auth-db:3306, by auth-db:3306, is open"),
    ],
    ids=["too open", "too closed", "open to the outside"],
)
def test_an_edge_too_many_or_too_few_is_named(
    dev: Manifests, change: set[Edge], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, _ = differences(dev, let_in(dev) ^ change)
    assert wrong == ["they are those that the policies name"]
    assert told in capsys.readouterr().out
