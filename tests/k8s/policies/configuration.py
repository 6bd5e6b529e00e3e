"""Where what runs comes from: images, settings, secrets, schemas."""

import re
from collections.abc import Iterator

from tools.k8s_check.environment import references_of
from tools.k8s_check.manifests import Manifests, labels_of, name_of

# The publishers' own images on Docker Hub, and Muster's.
_IMAGE = re.compile(
    r"(docker\.io/)?(library/)?(mysql|mongo|rabbitmq|axllent/mailpit|muster/[a-z]+)"
    r"(:(?!latest\b)v?[\w.-]+|(:[\w.-]+)?@sha256:[0-9a-f]{64})"
)
_BUILT_IN = re.compile(
    r"v1|apps/v1|batch/v1|autoscaling/v2|policy/v1|(networking|storage)\.k8s\.io/v1"
)
_GENERATED = re.compile(r".+-[a-z0-9]{10}")
_SECRET = re.compile(r"PASSWORD|PASS$|SECRET|_KEY$|COOKIE")
_MIGRATED = {"auth", "dbuploader", "notification"}


def every_image_is_its_publishers_and_pinned(manifests: Manifests) -> Iterator[str]:
    for name, container in manifests.containers():
        if not _IMAGE.fullmatch(container["image"]):
            yield f"{name} runs {container['image']}"


def every_kind_is_one_of_kubernetes_itself(manifests: Manifests) -> Iterator[str]:
    for each in manifests.objects:
        if not _BUILT_IN.fullmatch(each["apiVersion"]):
            yield f"{each['kind']} {name_of(each)} needs a cluster that knows {each['apiVersion']}"


def what_is_configured_is_named_after_its_content(manifests: Manifests) -> Iterator[str]:
    # Else a pod goes on with what it started with.
    for each in manifests.of("ConfigMap", "Secret"):
        # Grafana reads its dashboards as they change.
        if "grafana_dashboard" in labels_of(each):
            continue
        if not _GENERATED.fullmatch(name_of(each)):
            yield f"{each['kind']} {name_of(each)} may change without those who read it"


def secrets_stand_in_secrets_alone(manifests: Manifests) -> Iterator[str]:
    for name, container in manifests.containers():
        for variable in container.get("env", []):
            value = str(variable.get("value", ""))
            if re.search(r"://[^/@\s]*:(?!\$\()[^/@\s]+@", value):
                yield f"{name} has a password in {variable['name']}"
            if _SECRET.search(variable["name"]) and value and not value.startswith("$("):
                yield f"{name} has {variable['name']} in the clear"
    for each in manifests.of("ConfigMap"):
        for key, value in each.get("data", {}).items():
            if _SECRET.search(key) or re.search(r"://[^/@\s]*:(?!\$)[^/@\s]+@", value):
                yield f"ConfigMap {name_of(each)} holds the secret {key}"


def each_schema_is_migrated_before_its_service_starts(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for container in workload.containers:
            service = _service_of(container["image"])
            if service in _MIGRATED and not any(
                each["command"] == ["python", "-m", f"{service}.migrations"]
                and each["image"] == container["image"]
                for each in workload.pod.get("initContainers", [])
            ):
                yield f"{workload} may start on the tables of another version"


def _service_of(image: str) -> str:
    found = re.match(r"(?:.+/)?muster/([a-z]+)[:@]", image)
    return found[1] if found else ""


def the_accounts_of_migrations_are_theirs_alone(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        for container in workload.all_containers:
            is_one = container.get("command", [])[-1:] in (
                [f"{service}.migrations"] for service in _MIGRATED
            )
            taken = [reference.name for _, reference in references_of(manifests, container)]
            if not is_one and any(re.match(r".+-migrations\b", name) for name in taken):
                yield f"{workload}, container {container['name']} may change tables"


def all_can_be_applied_again(manifests: Manifests) -> Iterator[str]:
    # The pods of a Job cannot be changed: a new image, or a secret of another name, is refused.
    for job in manifests.of("Job"):
        yield f"Job {name_of(job)} can be applied once"
