"""What runs in the cluster and who may talk to whom, read from rendered manifests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.k8s_check.manifests import Json, Manifests, name_of

WORKLOADS = ("Deployment", "StatefulSet")
_TO_MANAGED = "callers-to-managed-"


class HalfOpen(Exception):
    """A policy lets one side through and none the other: in Kubernetes that edge is closed."""


@dataclass(frozen=True, order=True)
class Node:
    """An object of the cluster; or, of the kind `Managed`, a server outside of it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, order=True)
class Edge:
    """`meaning`: `calls` over the network, `routes` to who answers, or `uses` what it needs."""

    source: Node
    target: Node
    meaning: str


@dataclass(frozen=True)
class System:
    """The nodes by the part that they belong to, and the edges between them.

    A part is called after what stands behind its Service; `""` has what belongs to none.
    """

    parts: Mapping[str, Sequence[Node]]
    edges: Sequence[Edge]


def read_system(manifests: Manifests) -> System:
    """What to draw of the rendered `manifests`. Raises HalfOpen."""
    cluster = _Cluster(manifests)
    edges = {*cluster.calls(), *cluster.calls_outside(), *cluster.routes(), *cluster.uses()}
    nodes = cluster.nodes() | {end for edge in edges for end in (edge.source, edge.target)}
    parts: dict[str, list[Node]] = {}
    for node in sorted(nodes):
        parts.setdefault(cluster.part_of(node), []).append(node)
    return System(parts, sorted(edges))


class _Cluster:
    def __init__(self, manifests: Manifests) -> None:
        self._of = manifests.of
        self._services = {
            name_of(service): self._selected({"matchLabels": service["spec"]["selector"]})
            for service in self._of("Service")
        }

    def nodes(self) -> set[Node]:
        """What is drawn whether an edge leads to it or not."""
        services = {Node("Service", name) for name in self._services}
        return services | {_node_of(each) for each in self._of("Ingress", *WORKLOADS)}

    def part_of(self, node: Node) -> str:
        """The longest of the names behind a Service that the node's begins with: auth, auth-db."""
        names = {each.name for behind in self._services.values() for each in behind}
        of = {name for name in names if f"{node.name}-".startswith(f"{name}-")}
        return max(of, key=len, default="") if node.kind not in ("Ingress", "Managed") else ""

    def calls(self) -> Iterator[Edge]:
        """What is open in the network: an edge that the policies of both its ends have."""
        leaving = set(self._allowed("egress", "to"))
        entering = {(caller, callee) for callee, caller in self._allowed("ingress", "from")}
        if leaving != entering:
            raise HalfOpen(sorted(leaving ^ entering))
        for caller, callee in leaving:
            yield Edge(caller, self._front_of(callee), "calls")

    def calls_outside(self) -> Iterator[Edge]:
        """What is open to managed servers, which the policies of their callers name."""
        for policy in self._of("NetworkPolicy"):
            if name_of(policy).startswith(_TO_MANAGED):
                server = Node("Managed", name_of(policy).removeprefix(_TO_MANAGED))
                for caller in self._selected(policy["spec"]["podSelector"]):
                    yield Edge(caller, server, "calls")

    def routes(self) -> Iterator[Edge]:
        """From the Ingress to its Services, and from a Service to who stands behind it."""
        for ingress in self._of("Ingress"):
            paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
            for name in {path["backend"]["service"]["name"] for path in paths}:
                yield Edge(_node_of(ingress), Node("Service", name), "routes")
        for name, workloads in self._services.items():
            for workload in workloads:
                yield Edge(Node("Service", name), workload, "routes")

    def uses(self) -> Iterator[Edge]:
        """Claims and their storage classes."""
        for each in self._of("StatefulSet"):
            for claim in each["spec"].get("volumeClaimTemplates", ()):
                node = Node("PersistentVolumeClaim", f"{name_of(each)}-{name_of(claim)}")
                yield Edge(_node_of(each), node, "uses")
                yield Edge(node, Node("StorageClass", claim["spec"]["storageClassName"]), "uses")

    def _allowed(self, rules: str, peers: str) -> Iterator[tuple[Node, Node]]:
        for policy in self._of("NetworkPolicy"):
            for rule in policy["spec"].get(rules, ()):
                # Peers beyond the namespace, DNS and the Ingress controller, are no nodes here.
                inside = [
                    peer["podSelector"] for peer in rule[peers] if set(peer) == {"podSelector"}
                ]
                for mine in self._selected(policy["spec"]["podSelector"]):
                    yield from (
                        (mine, theirs) for peer in inside for theirs in self._selected(peer)
                    )

    def _front_of(self, workload: Node) -> Node:
        """The Service that it is called by; of RabbitMQ's two, the one not for its nodes."""
        fronts = [name for name, behind in self._services.items() if workload in behind]
        return Node("Service", min(fronts, key=len)) if fronts else workload

    def _selected(self, selector: Json) -> list[Node]:
        return [
            _node_of(each)
            for each in self._of(*WORKLOADS)
            if _matches(selector, each["spec"]["template"]["metadata"]["labels"])
        ]


def _matches(selector: Json, labels: Mapping[str, str]) -> bool:
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        _holds(each, labels) for each in selector.get("matchExpressions", ())
    )


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    if expression["operator"] != "In":
        raise NotImplementedError(f"a selector by {expression['operator']}")
    return labels.get(expression["key"]) in expression["values"]


def _node_of(manifest: Json) -> Node:
    return Node(manifest["kind"], name_of(manifest))
