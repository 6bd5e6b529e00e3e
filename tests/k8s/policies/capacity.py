"""What a pod gets, and how many there are of it, whatever happens to nodes."""

from collections.abc import Iterator

from tests.k8s.quantities import bytes_of, cores_of
from tools.k8s_check.manifests import Json, Manifests, Workload, name_of

_MIB = 2**20
# Measured, in MiB, as docs/deployment.md tells under "Resources": both processes of gunicorn.
_AT_REST = {
    "auth": 120,
    "dbuploader": 170,
    "dbuploader-consumer": 120,
    "gateway": 110,
    "gateway-relay": 60,
    "notification": 90,
    "notification-consumer": 60,
    "notification-webhooks": 60,
    "queries": 120,
}
# And under load: 16 logins at once take 19 MiB each, a load of a large file holds its batches.
_UNDER_LOAD = {"auth": 16 * 19, "dbuploader-consumer": 140}
_SCALED = {"auth", "gateway", "queries"}
_SPREAD = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def every_container_has_requests_and_a_memory_limit(manifests: Manifests) -> Iterator[str]:
    for name, container in manifests.containers():
        resources = container.get("resources", {})
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        if not {"cpu", "memory"} <= set(requests) or "memory" not in limits:
            yield f"{name} has not all of its requests and limits"
        elif bytes_of(requests["memory"]) > bytes_of(limits["memory"]):
            yield f"{name} asks for more memory than it may have"
        elif "cpu" in limits and cores_of(requests["cpu"]) > cores_of(limits["cpu"]):
            yield f"{name} asks for more of the processor than it may have"


def the_memory_limit_holds_what_was_measured(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for container in workload.containers:
            limit = container.get("resources", {}).get("limits", {}).get("memory", 0)
            peak = _AT_REST.get(workload.name, 0) + _UNDER_LOAD.get(workload.name, 0)
            needed = peak * _MIB + _in_memory(workload)
            if bytes_of(limit) < needed:
                yield f"{workload} may need {needed // _MIB} MiB and gets {limit}"


def the_memory_requested_is_what_is_used_at_rest(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for container in workload.containers:
            asked = container.get("resources", {}).get("requests", {}).get("memory", 0)
            used = _AT_REST.get(workload.name, 0)
            if bytes_of(asked) < used * _MIB:
                yield f"{workload} uses {used} MiB at rest and asks for {asked}"


def _in_memory(workload: Workload) -> int:
    """The bytes of the volumes that count as memory."""
    scratch = [volume.get("emptyDir") or {} for volume in workload.pod.get("volumes", [])]
    return sum(bytes_of(each["sizeLimit"]) for each in scratch if each.get("medium") == "Memory")


def every_server_has_a_disruption_budget_that_lets_one_go(manifests: Manifests) -> Iterator[str]:
    guarded: list[str] = []
    for budget in manifests.of("PodDisruptionBudget"):
        selected = manifests.selected_by(budget["spec"]["selector"])
        guarded += [each.name for each in selected]
        operated = _selects_operated(manifests, budget["spec"]["selector"])
        if len(selected) + operated != 1:
            yield f"PodDisruptionBudget {name_of(budget)} selects {list(map(str, selected))}"
        # With minAvailable a node under a single replica could never be drained.
        if budget["spec"].get("maxUnavailable") != 1:
            yield f"PodDisruptionBudget {name_of(budget)} does not let exactly one go"
        # Else a pod that never becomes ready keeps its node from being drained, forever.
        if budget["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"PodDisruptionBudget {name_of(budget)} holds on to pods that are not ready"
    for workload in manifests.workloads():
        if guarded.count(workload.name) != 1:
            yield f"{workload} has {guarded.count(workload.name)} disruption budgets"


def _selects_operated(manifests: Manifests, selector: Json) -> int:
    wanted = selector.get("matchLabels", {}).items()
    return sum(wanted <= labels.items() for labels in manifests.operated().values())


def replicas_are_spread_over_nodes_and_zones(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        spread = workload.pod.get("topologySpreadConstraints", [])
        keys = {each["topologyKey"] for each in spread if _selects(each["labelSelector"], workload)}
        for key in sorted(_SPREAD - keys):
            yield f"all replicas of {workload} may be in one {key}"


def _selects(selector: Json, workload: Workload) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return bool(wanted) and wanted.items() <= workload.labels.items()


def updates_leave_no_gap(manifests: Manifests) -> Iterator[str]:
    for deployment in manifests.of("Deployment"):
        strategy = deployment["spec"].get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or rolling.get("maxSurge") in (None, 0, "0%"):
            yield f"Deployment {name_of(deployment)} stops one before another is ready"
    for stateful in manifests.of("StatefulSet"):
        if stateful["spec"].get("updateStrategy", {}).get("type") != "RollingUpdate":
            yield f"StatefulSet {name_of(stateful)} is not updated by itself"


def who_answers_users_scales_with_the_load(manifests: Manifests) -> Iterator[str]:
    deployments = {name_of(each): each for each in manifests.of("Deployment")}
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]
        for scaler in manifests.of("HorizontalPodAutoscaler")
    }
    for name in sorted(_SCALED - set(scaled)):
        yield f"{name} does not scale"
    for name, spec in scaled.items():
        if name not in deployments or spec["scaleTargetRef"]["kind"] != "Deployment":
            yield f"{name} is scaled, and is not there"
        elif "replicas" in deployments[name]["spec"]:
            yield f"each update of {name} sets its replicas back"
        if spec.get("minReplicas", 1) >= spec["maxReplicas"]:
            yield f"{name} is scaled to nothing more"
        if any(_target(metric) not in range(40, 91) for metric in spec["metrics"]):
            yield f"{name} is scaled too late, or without need"


def _target(metric: Json) -> int:
    """The part of what is requested, in percent, that a metric of a scaler is to be kept at."""
    target: Json = metric.get("resource", {}).get("target", {})
    return int(target.get("averageUtilization", 0))


def every_backend_keeps_its_data_on_a_claim_of_a_named_class(
    manifests: Manifests,
) -> Iterator[str]:
    for stateful in manifests.of("StatefulSet"):
        claims = stateful["spec"].get("volumeClaimTemplates", [])
        mounted = {
            mount["name"]
            for container in stateful["spec"]["template"]["spec"]["containers"]
            for mount in container.get("volumeMounts", [])
        }
        if not any(name_of(claim) in mounted for claim in claims):
            yield f"StatefulSet {name_of(stateful)} loses its data with its pod"
        for claim in claims:
            if not claim["spec"].get("storageClassName"):
                yield f"{name_of(claim)} of {name_of(stateful)} takes whatever storage there is"
