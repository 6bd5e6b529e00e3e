"""The volumes of a pod, as claims and ConfigMaps of its own for `podman kube play`.

Podman has one volume for all that is called the same, in whatever pod, and knows nobody whose
volume it is: so each volume gets a name of its own, and belongs to the user of its pod.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.k8s_check.environment import data_of
from tools.k8s_check.manifests import Json, Manifests, Workload, name_of
from tools.k8s_check.podman.unsupported import CannotTranslate, LeftOut

_ANNOTATION = "volume.podman.io/"
_SECRETS_MODE = 0o644


def volumes_of(
    manifests: Manifests, workload: Workload, left_out: LeftOut, directory: Path
) -> list[Json]:
    """Rewrite the volumes of a workload's pods; returns the objects that these now are.

    Comes before fields are left out, for it looks at fsGroup. What volumes hold from the start is
    written to `directory`. Raises CannotTranslate.
    """
    owner = _owner(workload)
    objects = list(_claims(workload, owner))
    for volume in workload.pod.get("volumes", []):
        own = f"{workload.name}-{volume['name']}"
        match volume:
            case {"emptyDir": empty}:
                objects.append(_empty(own, empty, owner, left_out))
            case {"configMap": taken}:
                objects.append(_config_map(own, _files(manifests, "ConfigMap", taken)))
            case {"secret": taken}:
                archive = directory / f"{own}.tar"
                mode = taken.get("defaultMode", _SECRETS_MODE)
                files = _files(manifests, "Secret", {**taken, "name": taken["secretName"]})
                _write(archive, files, mode, int(owner.get("gid", 0)))
                objects.append(_claim(own, {"import-source": str(archive)}))
            case {"persistentVolumeClaim": _}:
                continue
            case _:
                raise CannotTranslate(f"volume {volume}")
        volume.clear()
        volume["name"] = own.removeprefix(f"{workload.name}-")
        if objects[-1]["kind"] == "ConfigMap":
            volume["configMap"] = {"name": own}
        else:
            volume["persistentVolumeClaim"] = {"claimName": own}
    return objects


def _owner(workload: Workload) -> dict[str, str]:
    security = workload.pod.get("securityContext", {})
    ids = {"uid": security.get("runAsUser"), "gid": security.get("fsGroup")}
    return {key: str(number) for key, number in ids.items() if number is not None}


def _claims(workload: Workload, owner: Mapping[str, str]) -> Iterator[Json]:
    """The claims that a StatefulSet's first pod gets."""
    for template in workload.spec.get("volumeClaimTemplates", []):
        claim = f"{name_of(template)}-{workload.name}-0"
        workload.pod.setdefault("volumes", []).append(
            {"name": name_of(template), "persistentVolumeClaim": {"claimName": claim}}
        )
        for container in workload.all_containers:
            for mount in container.get("volumeMounts", []):
                if mount["name"] == name_of(template):
                    # It would have to be there before; the volume of podman is empty at its root.
                    mount.pop("subPath", None)
        yield _claim(claim, owner, template["spec"])


def _empty(own: str, empty: Json, owner: Mapping[str, str], left_out: LeftOut) -> Json:
    if empty.get("medium") == "Memory":
        # mount(8) counts as Kubernetes does, and writes 64m for 64Mi.
        size = empty["sizeLimit"].removesuffix("i").lower()
        options = {"device": "tmpfs", "type": "tmpfs", "mount-options": f"size={size},mode=1777"}
        return _claim(own, options)
    if "sizeLimit" in empty:
        left_out.count("emptyDir.sizeLimit on disk", "the disk of this machine is the limit")
    return _claim(own, owner)


def _config_map(own: str, files: Mapping[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": own},
        "data": dict(files),
    }


def _files(manifests: Manifests, kind: str, taken: Json) -> dict[str, str]:
    """The texts of a volume's files by their paths."""
    found = [each for each in manifests.of(kind) if name_of(each) == taken["name"]]
    if not found:
        raise CannotTranslate(f"there is no {kind} {taken['name']}")
    data = data_of(found[0])
    items = taken.get("items", [{"key": key, "path": key} for key in data])
    return {item["path"]: data[item["key"]] for item in items}


def _write(archive: Path, files: Mapping[str, str], mode: int, group: int) -> None:
    """Files of root's and of a group's, as Kubernetes mounts a secret."""
    archive.touch(0o600)
    with tarfile.open(archive, "w") as tar:
        for path, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.gid = len(content), mode, group
            tar.addfile(member, io.BytesIO(content))


def _claim(name: str, options: Mapping[str, str], spec: Json | None = None) -> Json:
    """A claim with podman's own options; podman asks nothing of the rest."""
    annotations = {f"{_ANNOTATION}{key}": value for key, value in options.items()}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "annotations": annotations},
        "spec": spec
        or {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
