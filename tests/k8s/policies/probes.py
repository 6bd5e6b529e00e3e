"""How the cluster looks after a pod: probes, and time to stop."""

from collections.abc import Iterator

from tests.k8s.quantities import seconds_of_grace
from tools.k8s_check.manifests import Json, Manifests, Workload

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# Seconds, as docs/operations.md has them under "Stopping and draining".
_DRAIN_SECONDS = {
    "auth": 40,
    "dbuploader": 40,
    "gateway": 40,
    "notification": 40,
    "queries": 40,
    "dbuploader-consumer": 30,
    "notification-consumer": 40,
    "notification-webhooks": 40,
    "gateway-relay": 20,
}
_HTTP = {"auth", "dbuploader", "gateway", "notification", "queries"}
_LONGEST_START_SECONDS = 60
_SHORTEST_SILENCE_SECONDS = 60


def every_container_that_stays_has_three_probes(manifests: Manifests) -> Iterator[str]:
    for workload, container in _servers(manifests):
        for probe in _PROBES:
            if probe not in container:
                yield f"{workload} has no {probe}"


def liveness_asks_nobody_else(manifests: Manifests) -> Iterator[str]:
    for workload, container in _servers(manifests):
        probe = container.get("livenessProbe", {})
        if "/readyz" in str(probe) or _handler(probe) == _handler(container["readinessProbe"]):
            yield f"{workload} is restarted when something else is away"


def liveness_of_ours_is_their_own_word(manifests: Manifests) -> Iterator[str]:
    # Which tells, of a consumer, when its loop last beat: an open port would not.
    for workload, container in _servers(manifests):
        probe = container.get("livenessProbe", {})
        if workload.name in _DRAIN_SECONDS and probe.get("httpGet", {}).get("path") != "/healthz":
            yield f"{workload} is not asked whether it is alive"


def a_slow_moment_is_no_death(manifests: Manifests) -> Iterator[str]:
    for workload, container in _servers(manifests):
        probe = container.get("livenessProbe", {})
        patience = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
        if patience < _SHORTEST_SILENCE_SECONDS:
            yield f"{workload} is restarted after {patience} s without an answer"


def readiness_waits_for_dependencies_and_schema(manifests: Manifests) -> Iterator[str]:
    for workload, container in _servers(manifests):
        probe = container.get("readinessProbe", {})
        if workload.name in _DRAIN_SECONDS and "/readyz" not in str(probe):
            yield f"{workload} is ready before its schema is there"


def a_slow_start_is_waited_for(manifests: Manifests) -> Iterator[str]:
    for workload, container in _servers(manifests):
        probe = container.get("startupProbe", {})
        waits = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
        if waits < _LONGEST_START_SECONDS:
            yield f"{workload} is killed when it takes {waits} s to start"


def every_pod_has_the_time_that_its_drain_takes(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        grace = workload.pod.get("terminationGracePeriodSeconds", 30)
        before = max(map(seconds_of_grace, workload.containers))
        needed = before + _DRAIN_SECONDS.get(workload.name, 0)
        if grace < needed:
            yield f"{workload} is killed after {grace} s and may need {needed} s"


def who_serves_http_is_taken_out_of_its_service_before_it_stops(
    manifests: Manifests,
) -> Iterator[str]:
    for workload, container in _servers(manifests):
        if workload.name in _HTTP and seconds_of_grace(container) < 5:
            yield f"{workload} refuses connections that the cluster still sends"


def _servers(manifests: Manifests) -> Iterator[tuple[Workload, Json]]:
    for workload in manifests.workloads():
        for container in workload.containers:
            yield workload, container


def _handler(probe: Json) -> Json:
    return {name: probe[name] for name in ("httpGet", "exec", "tcpSocket") if name in probe}
