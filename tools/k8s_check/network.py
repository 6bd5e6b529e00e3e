"""Who may open connections to whom: as the policies are written, and as they are enforced."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from embedded.demo.checks import heading, table
from tools.k8s_check.edges import Edge, container_port, let_in, let_out
from tools.k8s_check.manifests import Manifests, name_of
from tools.k8s_check.outside import POD
from tools.k8s_check.trial import Trial

_API_SERVER = "the API server"
_INTERNET = "the Internet"
_NAMES = "the names"
_NOT_OURS = (_API_SERVER, _INTERNET)
_SOMEBODY = ("1.1.1.1", 443)
# Tries all of its arguments at once, hosts and ports by turns, and prints which of them it reaches.
_TRY = """\
try() {
    if command -v bash; then timeout 5 bash -c "exec 3<>/dev/tcp/$1/$2"; else nc -z -w 5 "$1" "$2"
    fi >/dev/null 2>&1 </dev/null && echo "$1 $2"
}
while [ $# -gt 0 ]; do try "$1" "$2" & shift 2; done
wait
"""


class Target(NamedTuple):
    """A port of a workload, or of something else; and an address at which it may be reached."""

    name: str
    port: int
    host: str
    host_port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}, by {self.host}:{self.host_port}"


def check_the_network(trial: Trial) -> None:
    """Try each connection from each pod and from outside: open are those that are written."""
    heading("Who reaches whom")
    targets = list(_targets(trial))
    allowed = _allowed(trial.suite.manifests)
    rows, tried, differences = [], 0, []
    for source in (POD, *(each.name for each in trial.suite.servers())):
        asked = [each for each in targets if each.name != source]
        wanted = {each for each in asked if Edge(source, each.name, each.port) in allowed}
        reached = _reached(trial, source, asked)
        # What timed out on a slow machine is tried again.
        reached |= _reached(trial, source, sorted(wanted - reached))
        tried += len(asked)
        # What else another namespace reaches is its own affair; it shows what there is to reach.
        counted = {each for each in asked if source != POD or each.name not in _NOT_OURS}
        differences += [f"{source} to {each}, is closed" for each in sorted(wanted - reached)]
        differences += [
            f"{source} to {each}, is open" for each in sorted(counted & reached - wanted)
        ]
        names = sorted({f"{each.name}:{each.port}" for each in reached})
        rows.append({"from": source, "reaches": ", ".join(names)})
    table(rows)
    print(f"  {tried} connections tried from {len(rows)} pods")
    trial.suite.checks.equal("they are those that the policies name", differences, [])


def _allowed(manifests: Manifests) -> set[Edge]:
    """By what is written: names for everybody, and the gateway for the pod outside."""
    sources = [POD, *(each.name for each in manifests.workloads())]
    (gateway,) = (each for each in manifests.workloads() if each.name == "gateway")
    return {
        *(let_in(manifests) & let_out(manifests)),
        *(Edge(source, _NAMES, 53) for source in sources),
        Edge(POD, gateway.name, container_port(gateway, "http")),
    }


def _targets(trial: Trial) -> Iterator[Target]:
    """Each port of each pod, at its own address and at that of its Service."""
    manifests = trial.suite.manifests
    (namespace,) = manifests.of("Namespace")
    for workload in trial.suite.servers():
        (address, *_) = (each["status"]["podIP"] for each in trial.cluster.pods(workload))
        for container in workload.containers:
            for port in container.get("ports", []):
                number = port["containerPort"]
                yield Target(workload.name, number, address, number)
    for service in manifests.of("Service"):
        host = f"{name_of(service)}.{name_of(namespace)}.svc"
        for port in service["spec"]["ports"]:
            for workload in manifests.selected_by(service["spec"]["selector"]):
                number = container_port(workload, port.get("targetPort", port["port"]))
                yield Target(workload.name, number, host, port["port"])
    for name, called, where in (
        (_API_SERVER, "kubernetes", "default"),
        (_NAMES, "kube-dns", "kube-system"),
    ):
        said = trial.cluster.kubectl(
            *("get", "service", called, f"--namespace={where}"),
            '--output=jsonpath={.spec.clusterIP} {.spec.ports[?(@.protocol=="TCP")].port}',
        )
        address, number, *_ = said.split()
        yield Target(name, int(number), address, int(number))
    yield Target(_INTERNET, _SOMEBODY[1], *_SOMEBODY)


def _reached(trial: Trial, source: str, targets: Sequence[Target]) -> set[Target]:
    """Which targets a pod of a workload can connect to."""
    if not targets:
        return set()
    asked = [str(word) for each in targets for word in (each.host, each.host_port)]
    command = ("sh", "-c", _TRY, "sh", *asked)
    if source == POD:
        said = trial.outside.run(*command)
    else:
        (pod, *_) = (
            name_of(pod)
            for each in trial.suite.servers()
            if each.name == source
            for pod in trial.cluster.pods(each)
        )
        said = trial.cluster.execute(pod, *command)
    lines = set(said.splitlines())
    return {each for each in targets if f"{each.host} {each.host_port}" in lines}
