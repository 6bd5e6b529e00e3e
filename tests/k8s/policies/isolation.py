"""What a pod may do: the profile `restricted` of Pod Security, and a little less than that.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator

from tools.k8s_check.manifests import Json, Manifests, labels_of, name_of

_ENFORCE = "pod-security.kubernetes.io/enforce"
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_WITHOUT_NAMESPACE = {"Namespace", "StorageClass"}


def the_namespace_takes_restricted_pods_only(manifests: Manifests) -> Iterator[str]:
    enforced = {name_of(each) for each in manifests.of("Namespace") if _is_restricted(each)}
    for each in manifests.objects:
        if each["kind"] not in _WITHOUT_NAMESPACE:
            namespace = each["metadata"].get("namespace")
            if namespace not in enforced:
                yield f"{each['kind']} {name_of(each)} is in namespace {namespace}"


def _is_restricted(namespace: Json) -> bool:
    return labels_of(namespace).get(_ENFORCE) == "restricted"


def no_pod_shares_anything_of_its_node(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for shared in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            if workload.pod.get(shared):
                yield f"{workload} has {shared}"
        for volume in workload.pod.get("volumes", []):
            if not set(volume) - {"name"} <= _VOLUMES:
                yield f"{workload} mounts {volume}"
    for name, container in manifests.containers():
        if any("hostPort" in port or "hostIP" in port for port in container.get("ports", [])):
            yield f"{name} has a port of the node"


def every_container_runs_as_somebody_who_is_not_root(manifests: Manifests) -> Iterator[str]:
    for name, security in _security(manifests):
        if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) == 0:
            yield f"{name} may run as root"


def no_container_can_gain_rights(manifests: Manifests) -> Iterator[str]:
    for name, security in _security(manifests):
        if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
            yield f"{name} may gain rights"


def every_capability_is_dropped(manifests: Manifests) -> Iterator[str]:
    for name, security in _security(manifests):
        if security.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} has capabilities"


def system_calls_are_filtered(manifests: Manifests) -> Iterator[str]:
    for name, security in _security(manifests):
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} may call all of the kernel"


def every_root_file_system_is_read_only(manifests: Manifests) -> Iterator[str]:
    for name, security in _security(manifests):
        if security.get("readOnlyRootFilesystem") is not True:
            yield f"{name} can write to its image"


def scratch_space_has_a_size(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for volume in workload.pod.get("volumes", []):
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                yield f"{workload} may fill the node by {volume['name']}"


def files_of_secrets_are_for_their_pod_alone(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for volume in workload.pod.get("volumes", []):
            # Without a mode it is 0644.
            if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
                yield f"{workload} lets everybody read {volume['name']}"


def who_has_files_has_the_group_that_may_use_them(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        security = workload.pod.get("securityContext", {})
        if security.get("fsGroup") is None or security["fsGroup"] != security.get("runAsGroup"):
            yield f"{workload} may not read its secrets, nor write its volumes"


def no_pod_has_a_token_of_the_cluster(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        if workload.pod.get("automountServiceAccountToken") is not False:
            yield f"{workload} gets a token"
        for volume in workload.pod.get("volumes", []):
            sources = volume.get("projected", {}).get("sources", [])
            if any("serviceAccountToken" in source for source in sources):
                yield f"{workload} mounts a token"
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {name_of(account)} gives its pods a token"


def each_service_has_an_account_of_its_own(manifests: Manifests) -> Iterator[str]:
    accounts = {name_of(each) for each in manifests.of("ServiceAccount")}
    users: dict[str, set[str]] = {}
    for workload in manifests.workloads():
        account = workload.pod.get("serviceAccountName", "default")
        if account not in accounts:
            yield f"{workload} runs under {account}, which is not there"
        part = labels_of(workload.spec["template"]).get("app.kubernetes.io/name", workload.name)
        users.setdefault(account, set()).add(part)
    for account, parts in users.items():
        if len(parts) > 1:
            yield f"{account} is shared by {sorted(parts)}"
    for account in sorted(accounts - set(users)):
        yield f"{account} is nobody's"


def no_pod_is_told_of_services_by_variables(manifests: Manifests) -> Iterator[str]:
    # A Service named muster would set MUSTER_PORT, which is a setting.
    for workload in manifests.workloads():
        if workload.pod.get("enableServiceLinks") is not False:
            yield f"{workload} gets a variable for each Service"


def _security(manifests: Manifests) -> Iterator[tuple[str, Json]]:
    """Each container's security context, over that of its pod."""
    for workload in manifests.workloads():
        pod = workload.pod.get("securityContext", {})
        for container in workload.all_containers:
            name = f"{workload}, container {container['name']}"
            yield name, {**pod, **container.get("securityContext", {})}
