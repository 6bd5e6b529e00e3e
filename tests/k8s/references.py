"""Which keys of ConfigMaps and Secrets the pods take."""

from collections.abc import Iterator

from tools.k8s_check.environment import data_of, references_of
from tools.k8s_check.manifests import Json, Manifests, name_of

Key = tuple[str, str, str]
"""A kind, a name and a key."""


def used_keys(manifests: Manifests) -> set[Key]:
    """The keys that become variables or files of a container."""
    found: set[Key] = set()
    for workload in manifests.workloads():
        for container in workload.all_containers:
            references = [reference for _, reference in references_of(manifests, container)]
            found |= {(each.kind, each.name, each.key) for each in references}
        for volume in workload.pod.get("volumes", []):
            found |= set(_files_of(manifests, volume))
    return found


def _files_of(manifests: Manifests, volume: Json) -> Iterator[Key]:
    for kind, source, named in (
        ("ConfigMap", "configMap", "name"),
        ("Secret", "secret", "secretName"),
    ):
        if source not in volume:
            continue
        name, items = volume[source][named], volume[source].get("items")
        if items is not None:
            yield from ((kind, name, item["key"]) for item in items)
            continue
        for each in manifests.of(kind):
            if name_of(each) == name:
                yield from ((kind, name, key) for key in data_of(each))
