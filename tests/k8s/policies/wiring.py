"""What one object names of another is there."""

from collections.abc import Iterator

from tools.k8s_check.manifests import Json, Manifests, name_of


def every_mount_is_of_a_volume_and_every_volume_is_mounted(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        claims = workload.spec.get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in workload.pod.get("volumes", [])}
        mounted = {
            mount["name"]
            for container in workload.all_containers
            for mount in container.get("volumeMounts", [])
        }
        for name in sorted((volumes | set(map(name_of, claims))) ^ mounted):
            yield f"{workload} has the volume {name} only mounted, or only declared"


def every_stateful_set_is_under_a_service_of_its_own(manifests: Manifests) -> Iterator[str]:
    # Else its pods have no names in DNS.
    services = {name_of(each): each["spec"] for each in manifests.of("Service")}
    for workload in manifests.workloads():
        if workload.kind == "StatefulSet":
            governing = services.get(workload.spec.get("serviceName", ""), {})
            selector: Json = governing.get("selector", {"": ""})
            if governing.get("clusterIP") != "None" or not (
                selector.items() <= workload.labels.items()
            ):
                yield f"{workload} is under {workload.spec.get('serviceName')}"


def every_claim_is_of_a_class_that_there_is(manifests: Manifests) -> Iterator[str]:
    classes = {name_of(each) for each in manifests.of("StorageClass")}
    for stateful in manifests.of("StatefulSet"):
        for claim in stateful["spec"].get("volumeClaimTemplates", []):
            if claim["spec"].get("storageClassName") not in classes:
                yield f"{name_of(claim)} of {name_of(stateful)} waits for a class of storage"


def the_ingress_sends_to_ports_that_there_are(manifests: Manifests) -> Iterator[str]:
    ports = {
        (name_of(service), port["name"])
        for service in manifests.of("Service")
        for port in service["spec"]["ports"]
    }
    for ingress in manifests.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                if (backend["name"], backend["port"].get("name")) not in ports:
                    yield f"{path['path']} leads to {backend}"
