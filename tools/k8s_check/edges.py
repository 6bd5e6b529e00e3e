"""Who may open connections to whom, by the policies; and who has to, by what everybody is told."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from tools.k8s_check.environment import environment_of
from tools.k8s_check.manifests import Json, Manifests, Workload, labels_of, name_of

_URL = re.compile(r"[a-z][a-z0-9+]*://\S+")


class Edge(NamedTuple):
    """Connections from the pods of one workload to a port of those of another, by their names."""

    source: str
    target: str
    port: int


def implied_edges(manifests: Manifests) -> set[Edge]:
    """The edges that the URLs in the pods' environments name, between pods of the manifests."""
    return {
        Edge(workload.name, target, port)
        for workload in manifests.workloads()
        for container in workload.all_containers
        for value in environment_of(manifests, container).values()
        for host, number in _addresses(value)
        for target, port in _behind(manifests, host, number)
    }


def _addresses(text: str) -> Iterator[tuple[str, int]]:
    for url in _URL.findall(text):
        hosts = urlsplit(url).netloc.rpartition("@")[2]
        for host in hosts.split(","):
            name, _, port = host.partition(":")
            if port:
                yield name, int(port)


def _behind(manifests: Manifests, host: str, number: int) -> Iterator[tuple[str, int]]:
    for service in manifests.of("Service"):
        if name_of(service) == host.partition(".")[0]:
            for port in service["spec"]["ports"]:
                if port["port"] == number:
                    for workload in manifests.selected_by(service["spec"]["selector"]):
                        yield (
                            workload.name,
                            container_port(workload, port.get("targetPort", number)),
                        )


def container_port(workload: Workload, port: int | str) -> int:
    """The number of a port of a workload's pods, by its name or number; fails if it has none."""
    for container in workload.all_containers:
        for each in container.get("ports", []):
            if port in (each.get("name"), each["containerPort"]):
                return int(each["containerPort"])
    raise AssertionError(f"{workload} has no port {port}")


def let_out(manifests: Manifests) -> set[Edge]:
    """The edges that the policies let out of their source."""
    return _edges(manifests, "egress", "to")


def let_in(manifests: Manifests) -> set[Edge]:
    """The edges that the policies let into their target."""
    return {Edge(peer, own, port) for own, peer, port in _edges(manifests, "ingress", "from")}


def _edges(manifests: Manifests, direction: str, peers: str) -> set[Edge]:
    return {
        Edge(own.name, peer.name, port["port"])
        for policy in manifests.of("NetworkPolicy")
        for own in _pods(manifests, policy["spec"]["podSelector"])
        for rule in policy["spec"].get(direction, [])
        for peer in manifests.workloads()
        if any(_means(manifests, selector, peer) for selector in rule.get(peers, []))
        for port in rule["ports"]
    }


def _pods(manifests: Manifests, selector: Json) -> list[Workload]:
    return [each for each in manifests.workloads() if selects(selector, each.labels)]


def _means(manifests: Manifests, peer: Json, workload: Workload) -> bool:
    """Whether a policy's peer takes in the pods of a workload, which are in the one namespace."""
    if "ipBlock" in peer:
        return False
    (namespace,) = manifests.of("Namespace")
    own = {"kubernetes.io/metadata.name": name_of(namespace), **labels_of(namespace)}
    if "namespaceSelector" in peer and not selects(peer["namespaceSelector"], own):
        return False
    return selects(peer.get("podSelector", {}), workload.labels)


def selects(selector: Json, labels: dict[str, str]) -> bool:
    """Whether a label selector takes pods with these labels."""
    matched = selector.get("matchLabels", {}).items() <= labels.items()
    return matched and all(_meets(labels, each) for each in selector.get("matchExpressions", []))


def _meets(labels: dict[str, str], expression: Json) -> bool:
    match expression["operator"]:
        case "In":
            return labels.get(expression["key"]) in expression["values"]
        case "NotIn":
            return labels.get(expression["key"]) not in expression["values"]
        case "Exists":
            return expression["key"] in labels
        case _:
            return expression["key"] not in labels
