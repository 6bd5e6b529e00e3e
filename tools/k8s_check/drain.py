"""One of three nodes is drained under traffic."""

import time
from collections import Counter
from collections.abc import Sequence

from embedded.demo.checks import heading
from tools.k8s_check.manifests import Json
from tools.k8s_check.trial import Trial

_NODES = 3
_DRAIN_SECONDS = 300


def drain_a_node(trial: Trial) -> None:
    """Drain one, and have it back: it ends, and no upload is lost or doubled."""
    heading("One of the nodes drained under traffic")
    nodes = trial.cluster.schedulable_nodes()
    if len(nodes) < _NODES:
        print(f"  left out: this takes {_NODES} nodes, and there are {len(nodes)}")
        return
    node = _chosen(trial, nodes)
    with trial.outside.traffic(trial.orders()) as traffic:
        traffic.phase("the node is drained")
        started = time.monotonic()
        try:
            trial.cluster.kubectl(
                *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data"),
                f"--timeout={_DRAIN_SECONDS}s",
            )
            drained = time.monotonic() - started
            traffic.phase("it is drained")
            left = [each for each in trial.cluster.pods() if each["spec"].get("nodeName") == node]
            trial.suite.checks.equal(f"{node} is drained ({drained:.0f} s)", left, [])
        finally:
            trial.cluster.kubectl("uncordon", node)
        traffic.phase("it takes pods again")
        trial.must_all_be_ready()
        report = traffic.stop()
    trial.must_keep_uploads(report)


def _chosen(trial: Trial, nodes: Sequence[str]) -> str:
    """The one with most pods, if possible without a volume, which may be bound to its node.

    Not where the traffic is, nor the mail catcher, which has its emails in memory.
    """
    pods = trial.cluster.pods()
    most = Counter(each["spec"].get("nodeName") for each in pods)
    bound = {each["spec"].get("nodeName") for each in pods if _has_claim(each)}
    (catcher,) = trial.suite.servers("mail")
    spared = {trial.outside.node()}
    spared |= {each["spec"].get("nodeName") for each in trial.cluster.pods(catcher)}
    candidates = [each for each in nodes if each not in spared]
    return max(candidates, key=lambda node: (node not in bound and most[node] > 0, most[node]))


def _has_claim(pod: Json) -> bool:
    return any("persistentVolumeClaim" in each for each in pod["spec"].get("volumes", []))
