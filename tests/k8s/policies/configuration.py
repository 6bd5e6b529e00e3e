"""Where what runs comes from: images, settings, secrets, schemas."""

import re
from collections.abc import Iterator

from deploy.k8s_check.manifests import Manifests, labels_of, name_of

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
_MIGRATED = {"auth", "dbuploader"}


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


def each_schema_is_migrated_by_a_job(manifests: Manifests) -> Iterator[str]:
    jobs = {
        tuple(container.get("command", []))
        for job in manifests.workloads()
        if job.kind == "Job"
        for container in job.all_containers
    }
    for service in sorted(_MIGRATED):
        if ("python", "-m", f"{service}.migrations") not in jobs:
            yield f"nobody makes the tables of {service}"


def every_job_is_tried_again_and_goes_when_it_is_done(manifests: Manifests) -> Iterator[str]:
    for job in manifests.of("Job"):
        pod = job["spec"]["template"]["spec"]
        if pod.get("restartPolicy") not in ("OnFailure", "Never"):
            yield f"Job {name_of(job)} starts again for ever"
        if job["spec"].get("backoffLimit", 6) < 3:
            yield f"Job {name_of(job)} gives up before its database is there"
        # What is applied a second time can't be another Job while the first is still there.
        if "ttlSecondsAfterFinished" not in job["spec"]:
            yield f"Job {name_of(job)} stays when it is done"
