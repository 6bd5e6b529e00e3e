"""The objects of a rendered overlay, and the pods that they make."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_MAKE_PODS = ("Deployment", "StatefulSet")


@dataclass(frozen=True)
class Workload:
    """What makes pods: a Deployment or a StatefulSet."""

    manifest: Json

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.manifest)

    @property
    def spec(self) -> Json:
        """Its own specification; {} if it has none."""
        spec: Json = self.manifest.get("spec", {})
        return spec

    @property
    def pod(self) -> Json:
        """The specification of its pods."""
        pod: Json = self.spec["template"]["spec"]
        return pod

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return labels_of(self.spec["template"])

    @property
    def containers(self) -> list[Json]:
        """The containers that run side by side."""
        return list(self.pod["containers"])

    @property
    def all_containers(self) -> list[Json]:
        """These, and those that run before them."""
        return [*self.pod.get("initContainers", []), *self.containers]


class Manifests:
    """The objects that one kustomization renders to."""

    def __init__(self, objects: Sequence[Json]) -> None:
        self.objects = list(objects)

    def of(self, *kinds: str) -> list[Json]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def workloads(self) -> list[Workload]:
        """What makes pods."""
        return [Workload(each) for each in self.of(*_MAKE_PODS)]

    def containers(self) -> Iterator[tuple[str, Json]]:
        """Every container with what to call it."""
        for workload in self.workloads():
            for container in workload.all_containers:
                yield f"{workload}, container {container['name']}", container

    def operated(self) -> dict[str, dict[str, str]]:
        """The labels of the pods that operators make of objects, by the objects' names."""
        # https://www.rabbitmq.com/kubernetes/operator/using-operator
        nodes = {
            name_of(each): {"app.kubernetes.io/name": name_of(each)}
            for each in self.of("RabbitmqCluster")
        }
        # https://dev.mysql.com/doc/mysql-operator/en/
        members = {
            name_of(each): {"mysql.oracle.com/cluster": name_of(each)}
            for each in self.of("InnoDBCluster")
        }
        return nodes | members

    def selected_by(self, selector: Json) -> list[Workload]:
        """The workloads whose pods have all the labels of a Service's or policy's selector."""
        wanted = selector.get("matchLabels", {}) if "matchLabels" in selector else selector
        return [each for each in self.workloads() if wanted.items() <= each.labels.items()]


def name_of(manifest: Json) -> str:
    """The name of an object."""
    return str(manifest["metadata"]["name"])


def labels_of(manifest: Json) -> dict[str, str]:
    """The labels of an object or of a pod template."""
    return dict(manifest.get("metadata", {}).get("labels", {}))
