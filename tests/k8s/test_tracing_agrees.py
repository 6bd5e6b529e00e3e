"""The component `tracing` sets what the code reads, and lets through to where it points."""

from urllib.parse import urlsplit

import pytest

from tests.k8s.sources import processes, texts
from tests.k8s.tree import Tree
from tools.k8s_check.edges import selects
from tools.k8s_check.environment import environment_of
from tools.k8s_check.manifests import Manifests


@pytest.fixture
def traced(tree: Tree) -> Manifests:
    return tree.rendered("dev with tracing")


def test_every_process_that_stays_is_told_of_the_collector(
    dev: Manifests, traced: Manifests
) -> None:
    before, after = processes(dev), processes(traced)
    for process, container in after.items():
        added = set(environment_of(traced, container)) - set(environment_of(dev, before[process]))
        stays = "livenessProbe" in container
        assert added <= texts()
        assert added >= ({"OTEL_EXPORTER_OTLP_ENDPOINT"} if stays else set()), process


def test_whoever_is_told_of_the_collector_may_reach_it(traced: Manifests) -> None:
    told = {
        (workload.name, urlsplit(url).port)
        for workload in traced.workloads()
        for url in [
            environment_of(traced, workload.containers[0]).get("OTEL_EXPORTER_OTLP_ENDPOINT")
        ]
        if url
    }
    let_out = {
        (workload.name, port["port"])
        for policy in traced.of("NetworkPolicy")
        for workload in traced.workloads()
        if selects(policy["spec"]["podSelector"], workload.labels)
        for rule in policy["spec"].get("egress", [])
        if "opentelemetry-collector" in str(rule["to"])
        for port in rule["ports"]
    }
    assert told == let_out
