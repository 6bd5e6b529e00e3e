"""The connections that docs/scope.md plans for are those of the overlay prod."""

import re
from pathlib import Path

import pytest

from tests.k8s.tree import Tree
from tools.k8s_check.manifests import Manifests, name_of

PAGE = Path(__file__).parents[2] / "docs/scope.md"


def most_pods(prod: Manifests) -> dict[str, int]:
    """The largest number of pods of each workload."""
    pods = {workload.name: workload.spec.get("replicas", 1) for workload in prod.workloads()}
    for scaler in prod.of("HorizontalPodAutoscaler"):
        pods[scaler["spec"]["scaleTargetRef"]["name"]] = scaler["spec"]["maxReplicas"]
    return pods


def callers(prod: Manifests, server: str) -> set[str]:
    (policy,) = [
        each for each in prod.of("NetworkPolicy") if name_of(each) == f"callers-to-managed-{server}"
    ]
    selector = policy["spec"]["podSelector"]
    names = selector.get("matchLabels", {}).get("app.kubernetes.io/name")
    return {names} if names else set(selector["matchExpressions"][0]["values"])


def planned(server: str) -> int:
    (row,) = re.findall(rf"^\| {server} \|.*\| ([\d,]+)", PAGE.read_text("utf-8"), re.MULTILINE)
    return int(row.replace(",", ""))


@pytest.mark.parametrize(
    ("server", "behind", "each"),
    [
        ("MySQL `auth`", "auth-db", 16),
        ("MySQL `employment`", "employment-db", 16),
        ("MySQL `notification`", "notification-db", 16),
        ("MongoDB", "mongo", 100),
    ],
)
def test_the_connections_of_a_server_are_those_of_its_callers(
    tree: Tree, server: str, behind: str, each: int
) -> None:
    prod = tree.rendered("prod")
    pods = most_pods(prod)
    assert planned(server) == each * sum(pods[name] for name in callers(prod, behind))
