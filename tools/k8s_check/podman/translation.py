"""From a rendered overlay to what `podman kube play` takes: a file for each workload."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.k8s_check.manifests import Json, Manifests, Workload, name_of
from tools.k8s_check.podman.unsupported import KINDS, CannotTranslate, LeftOut
from tools.k8s_check.podman.volumes import volumes_of


@dataclass(frozen=True)
class Play:
    """One workload for `podman kube play`: its objects, and the names of the Services before it."""

    workload: Workload
    objects: Sequence[Json]
    services: Sequence[str]

    @property
    def pod(self) -> str:
        """The name that podman gives the pod."""
        return f"{self.workload.name}-{'0' if self.workload.kind == 'StatefulSet' else 'pod'}"

    @property
    def containers(self) -> dict[str, str]:
        """The names that podman gives the containers that stay, by their own."""
        return {each["name"]: f"{self.pod}-{each['name']}" for each in self.workload.containers}


@dataclass(frozen=True)
class Translation:
    """What is to be played, by the workloads' names, and what of the overlay is not."""

    secrets: Sequence[Json]
    plays: dict[str, Play]
    left_out: LeftOut


def translate(manifests: Manifests, image_of: Callable[[str], str], directory: Path) -> Translation:
    """The whole overlay, with the images that `image_of` names; raises CannotTranslate.

    What volumes hold from the start is written to `directory`.
    """
    manifests = Manifests(copy.deepcopy(manifests.objects))
    left_out = LeftOut()
    for each in manifests.objects:
        left_out.holds(KINDS, each["kind"])
    return Translation(
        secrets=[_plain(each) for each in manifests.of("Secret")],
        plays={
            workload.name: _play(
                workload,
                manifests,
                image_of,
                volumes_of(manifests, workload, left_out, directory),
                left_out,
            )
            for workload in manifests.workloads()
        },
        left_out=left_out,
    )


def _play(
    workload: Workload,
    manifests: Manifests,
    image_of: Callable[[str], str],
    volumes: Sequence[Json],
    left_out: LeftOut,
) -> Play:
    left_out.remove_from(workload)
    for container in workload.all_containers:
        container["image"] = image_of(container["image"])
        container["imagePullPolicy"] = "Never"
    objects = [
        *(_plain(each) for each in manifests.of("ConfigMap")),
        *volumes,
        _pod_of(workload) if workload.kind == "StatefulSet" else _plain(workload.manifest),
    ]
    return Play(workload, objects, _services_of(manifests, workload))


def _services_of(manifests: Manifests, workload: Workload) -> list[str]:
    services = []
    for service in manifests.of("Service"):
        if service["spec"]["selector"].items() <= workload.labels.items():
            services.append(name_of(service))
            for port in service["spec"]["ports"]:
                _hold_to_the_same_port(port, workload)
    return services


def _hold_to_the_same_port(port: Json, workload: Workload) -> None:
    # A name leads to the pod itself: nothing turns one port into another.
    numbers = {
        each.get("name"): each["containerPort"]
        for container in workload.containers
        for each in container.get("ports", [])
    }
    target = port.get("targetPort", port["port"])
    if numbers.get(target, target) != port["port"]:
        raise CannotTranslate(f"port {port['port']} of {workload} is its {target}")


def _plain(manifest: Json) -> Json:
    """The object without its namespace."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    return {**manifest, "metadata": metadata}


def _pod_of(workload: Workload) -> Json:
    """The first pod of a StatefulSet."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{workload.name}-0", "labels": workload.labels},
        "spec": workload.pod,
    }
