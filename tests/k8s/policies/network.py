"""Who may talk to whom: nobody, but for the edges that are named."""

from collections.abc import Callable, Iterator

from tools.k8s_check.edges import selects
from tools.k8s_check.manifests import Json, Manifests, name_of

_DIRECTIONS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


def all_traffic_is_denied_that_no_policy_names(manifests: Manifests) -> Iterator[str]:
    closed = [
        each["spec"]
        for each in manifests.of("NetworkPolicy")
        if each["spec"].get("podSelector") == {}
        and not each["spec"].get("ingress")
        and not each["spec"].get("egress")
    ]
    for direction in _DIRECTIONS:
        if not any(direction in spec.get("policyTypes", []) for spec in closed):
            yield f"{direction} is open"


def everybody_may_ask_for_names(manifests: Manifests) -> Iterator[str]:
    rules = [
        rule
        for policy in manifests.of("NetworkPolicy")
        if policy["spec"]["podSelector"] == {}
        for rule in policy["spec"].get("egress", [])
    ]
    for resolver, (number, reached) in _RESOLVERS.items():
        for protocol in ("TCP", "UDP"):
            port = {"port": number, "protocol": protocol}
            if not any(
                port in rule.get("ports", []) and any(map(reached, rule.get("to", [])))
                for rule in rules
            ):
                yield f"nobody finds anybody by {protocol} where {resolver} resolves names"


def _pods(namespace: str, labels: dict[str, str]) -> Callable[[Json], bool]:
    """Whether a peer takes these pods."""
    own = {"kubernetes.io/metadata.name": namespace}
    return lambda peer: (
        selects(peer.get("namespaceSelector", {"matchLabels": {"": ""}}), own)
        and selects(peer.get("podSelector", {}), labels)
    )


def _address(address: str) -> Callable[[Json], bool]:
    """Whether a peer takes this address alone."""
    return lambda peer: peer.get("ipBlock") == {"cidr": f"{address}/32"}


_RESOLVERS: dict[str, tuple[int, Callable[[Json], bool]]] = {
    "CoreDNS": (53, _pods("kube-system", {"k8s-app": "kube-dns"})),
    # https://docs.cilium.io/en/stable/network/kubernetes/local-redirect-policy/#node-local-dns-cache
    "Cilium's NodeLocal DNSCache": (53, _pods("kube-system", {"k8s-app": "node-local-dns"})),
    # https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
    "NodeLocal DNSCache": (53, _address("169.254.20.10")),
    # https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-dns
    "Cloud DNS": (53, _address("169.254.169.254")),
    # https://docs.openshift.com/container-platform/latest/networking/networking_operators/dns-operator.html
    "OpenShift": (
        5353,
        _pods("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"}),
    ),
}


def every_open_edge_names_its_ports_and_its_peers(manifests: Manifests) -> Iterator[str]:
    for policy in manifests.of("NetworkPolicy"):
        for rule, peers in _rules(policy):
            if not rule.get("ports") or any("port" not in port for port in rule["ports"]):
                yield f"NetworkPolicy {name_of(policy)} opens every port"
            if not peers or any(_is_everybody(peer) for peer in peers):
                yield f"NetworkPolicy {name_of(policy)} lets everybody in or out"


def _rules(policy: Json) -> Iterator[tuple[Json, list[Json]]]:
    for key, peers in _DIRECTIONS.values():
        for rule in policy["spec"].get(key, []):
            yield rule, rule.get(peers, [])


def _is_everybody(peer: Json) -> bool:
    if "ipBlock" in peer:
        return False
    return not any(
        selector.get("matchLabels") or selector.get("matchExpressions")
        for selector in peer.values()
    )


def every_policy_and_service_selects_somebody(manifests: Manifests) -> Iterator[str]:
    for policy in manifests.of("NetworkPolicy"):
        if policy["spec"]["podSelector"] and not _selected(
            manifests, policy["spec"]["podSelector"]
        ):
            yield f"NetworkPolicy {name_of(policy)} is about nobody"
    for service in manifests.of("Service"):
        selected = manifests.selected_by(service["spec"].get("selector", {"": ""}))
        if len(selected) != 1:
            yield f"Service {name_of(service)} sends to {list(map(str, selected))}"


def _selected(manifests: Manifests, selector: Json) -> bool:
    labels = [each.labels for each in manifests.workloads()] + list(manifests.operated().values())
    return any(selects(selector, each) for each in labels)


def nothing_is_reached_from_outside_but_through_the_ingress(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"Service {name_of(service)} is open to the outside"
