"""The steps of the check, by the names with which one can be run alone."""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from tools.k8s_check import kills
from tools.k8s_check.drain import drain_a_node
from tools.k8s_check.kubectl import KubectlCluster
from tools.k8s_check.network import check_the_network
from tools.k8s_check.outages import kill_each_pod, take_the_store_away
from tools.k8s_check.outside import outside
from tools.k8s_check.overlay import SAMPLES, do_the_demo
from tools.k8s_check.releases import check_releases
from tools.k8s_check.suite import Suite
from tools.k8s_check.trial import Trial

ANYWHERE: Mapping[str, Callable[[Suite], None]] = {
    "demo": do_the_demo,
    "workers": partial(kills.kill_who_works, samples=SAMPLES),
    "pods": partial(kills.kill_each_other_pod, samples=SAMPLES),
}
ON_A_CLUSTER: Mapping[str, Callable[[Trial], None]] = {
    "network": check_the_network,
    "releases": check_releases,
    "uploads": kill_each_pod,
    "store": take_the_store_away,
    "drain": drain_a_node,
}
NAMES = (*ANYWHERE, *ON_A_CLUSTER)
# They take minutes each.
NAMED_ALONE = frozenset({"uploads", "store", "drain"})


def take(suite: Suite, names: Collection[str] = ()) -> None:
    """Take these steps, or else all that need not be named; raises PodFailed or CommandFailed."""
    chosen = names or [each for each in NAMES if each not in NAMED_ALONE]
    for name, step in ANYWHERE.items():
        if name in chosen:
            step(suite)
    cluster = suite.cluster
    there = [step for name, step in ON_A_CLUSTER.items() if name in chosen]
    if not there or not isinstance(cluster, KubectlCluster):
        return
    with outside(cluster, suite.manifests) as pod:
        for each in there:
            each(Trial(suite, cluster, pod))
