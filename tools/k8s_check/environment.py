"""The environment that a container gets, from its own values, ConfigMaps and Secrets."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.k8s_check.manifests import Json, Manifests, name_of

_REFERENCE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True)
class Reference:
    """What a variable is taken from: the key of a ConfigMap or Secret."""

    kind: str
    name: str
    key: str


def environment_of(manifests: Manifests, container: Json) -> dict[str, str]:
    """The variables of a container with their values; "" where a Secret is made elsewhere."""
    data = {
        Reference(each["kind"], name_of(each), key): value
        for each in manifests.of("ConfigMap", "Secret")
        for key, value in data_of(each).items()
    }
    values: dict[str, str] = {}
    for name, reference in references_of(manifests, container):
        values[name] = data.get(reference, "")
    for variable in container.get("env", []):
        if "value" in variable:
            values[variable["name"]] = _expanded(str(variable["value"]), values)
        elif "fieldRef" in variable.get("valueFrom", {}):
            values[variable["name"]] = ""
    return values


def references_of(manifests: Manifests, container: Json) -> Iterator[tuple[str, Reference]]:
    """Each variable that comes from a ConfigMap or Secret, and from where."""
    for source in container.get("envFrom", []):
        kind, key = (
            ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
        )
        wanted = source[key]["name"]
        for each in manifests.of(kind):
            if name_of(each) == wanted:
                for name in data_of(each):
                    yield name, Reference(kind, wanted, name)
    for variable in container.get("env", []):
        taken = variable.get("valueFrom", {})
        for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if key in taken:
                yield variable["name"], Reference(kind, taken[key]["name"], taken[key]["key"])


def data_of(manifest: Json) -> dict[str, str]:
    """The texts of a ConfigMap or Secret by their keys."""
    encoded: Mapping[str, str] = manifest.get("data", {})
    if manifest["kind"] == "ConfigMap":
        return dict(encoded)
    plain = {key: base64.b64decode(value).decode() for key, value in encoded.items()}
    return {**plain, **manifest.get("stringData", {})}


def _expanded(value: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: values.get(match[1], match[0]), value)
