"""The policies let through what the configuration needs, and nothing else."""

import pytest

from tests.k8s.mutating import Change
from tests.k8s.sources import read
from tests.k8s.tree import ALL, Tree
from tools.k8s_check.edges import Edge, implied_edges, let_in, let_out, selects
from tools.k8s_check.manifests import Manifests, name_of

# Between the nodes of a backend, which no variable names.
AMONG_THEMSELVES = {
    Edge("rabbitmq", "rabbitmq", 4369),
    Edge("rabbitmq", "rabbitmq", 25672),
}
# Addresses that a process has no use for, which shares its settings with one that has.
TOLD_FOR_NOTHING = {
    Edge("gateway-relay", "auth", 8080),
    Edge("gateway-relay", "dbuploader", 8080),
    Edge("gateway-relay", "notification", 8080),
    Edge("gateway-relay", "queries", 8080),
    Edge("dbuploader-consumer", "auth", 8080),
    Edge("notification-webhooks", "auth", 8080),
}


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("dev")])
def test_what_is_let_out_is_let_in_and_is_what_the_urls_name(tree: Tree, name: str) -> None:
    manifests = tree.rendered(name)
    opened = let_out(manifests)
    assert opened == let_in(manifests)
    assert opened - AMONG_THEMSELVES == implied_edges(manifests) - TOLD_FOR_NOTHING


def test_the_edges_are_those_of_the_architecture(dev: Manifests) -> None:
    pairs = {(edge.source, edge.target) for edge in implied_edges(dev)}
    assert {
        ("gateway", each) for each in ("auth", "queries", "dbuploader", "notification")
    } <= pairs
    assert {("gateway", "rabbitmq"), ("notification-consumer", "mailpit")} <= pairs
    assert len(pairs) >= 20


def test_in_prod_the_nodes_of_rabbitmq_reach_each_other(tree: Tree) -> None:
    prod = tree.rendered("prod")
    assert AMONG_THEMSELVES <= let_out(prod) == let_in(prod)


def test_in_prod_everybody_reaches_the_port_of_what_is_managed(tree: Tree) -> None:
    dev, prod = tree.rendered("dev"), tree.rendered("prod")
    there = {each.name for each in prod.workloads()}
    needed = {(edge.source, edge.port) for edge in implied_edges(dev) if edge.target not in there}
    mail = {(source, port) for source, port in needed if port == 1025}
    open_to_the_outside = {
        (workload.name, port["port"])
        for policy in prod.of("NetworkPolicy")
        if policy["spec"]["podSelector"]  # That for all is about names.
        for workload in prod.workloads()
        for rule in policy["spec"].get("egress", [])
        if any("ipBlock" in peer for peer in rule["to"])
        and selects(policy["spec"]["podSelector"], workload.labels)
        for port in rule["ports"]
    }
    encrypted = {(source, port) for source, _ in mail for port in (465, 587)}
    anywhere = {("notification-webhooks", port) for port in (443, 8443)}
    assert open_to_the_outside == needed - mail | encrypted | anywhere


@pytest.mark.parametrize("controller", ["ingress-nginx", "traefik"])
def test_the_ingress_controllers_that_the_page_names_reach_the_gateway(
    tree: Tree, controller: str
) -> None:
    assert "ingress-nginx and Traefik are let through" in read("docs/deployment.md")
    policies = tree.rendered("dev with ingress").of("NetworkPolicy")
    (policy,) = [each for each in policies if name_of(each) == "gateway-from-ingress"]
    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    namespace = {"kubernetes.io/metadata.name": controller}
    assert any(selects(peer["namespaceSelector"], namespace) for peer in peers)


@pytest.mark.parametrize(
    "change",
    [
        Change("NetworkPolicy callers-to-mongo"),
        Change("NetworkPolicy auth-from-callers", "spec/ingress/0/from/0"),
        Change("NetworkPolicy callers-to-auth", "spec/egress/0/ports/0/port", 8081),
        Change(
            "NetworkPolicy callers-to-auth",
            "spec/podSelector/matchExpressions/0/values/-",
            "mailpit",
        ),
        Change("ConfigMap gateway", "data/MUSTER_QUERIES_URL", "http://notification:8080"),
    ],
    ids=str,
)
def test_an_edge_too_many_or_too_few_is_seen(dev: Manifests, change: Change) -> None:
    changed = change.applied_to(dev)
    needed = implied_edges(changed) - TOLD_FOR_NOTHING
    assert not let_out(changed) == let_in(changed) == needed
