"""The variables that the manifests set are those that the code reads, and that Compose sets."""

import re
from importlib import import_module

import pytest

from tests.k8s.references import used_keys
from tests.k8s.sources import (
    SERVICES,
    Process,
    compose,
    compose_processes,
    dockerfile,
    processes,
    variables_of,
)
from tests.k8s.tree import K8S, OVERLAYS, Tree
from tools.k8s_check.environment import data_of, environment_of
from tools.k8s_check.manifests import Manifests, name_of

# Set in the cluster and not in Compose, and why.
ONLY_IN_THE_CLUSTER = {
    "MUSTER_TRUSTED_PROXIES": "in Compose there is no proxy before the gateway",
    "MUSTER_LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS": "prod has replicas of auth that count alone",
    "MUSTER_LOGIN_LIMIT_PER_ACCOUNT": "prod has replicas of auth that count for themselves",
    "MUSTER_LOGIN_LIMIT_PER_ADDRESS": "prod has replicas of auth that count for themselves",
}
# Read by the code and set nowhere, and why.
LEFT_TO_THEIR_DEFAULT = {
    "MUSTER_ALLOW_MULTI_PRIMARY": "is for clusters of databases, which these are not",
    "MUSTER_EMPLOYMENT_READ_URL": "is of the component mysql-group, which brings replicas",
    "MUSTER_AUTH_URL": "is for those who call auth",
    "MUSTER_FILE_STORE_URL": "is for files that are kept apart from the records",
    "MUSTER_HOME": "is of the embedded default",
    "MUSTER_TRUSTED_PROXIES": "is of the components that bring a proxy, which dev has not",
    "MUSTER_WAIT_SECONDS": "is long enough for a database that starts with the rest",
    "MUSTER_SCRATCH_DIR": "is /tmp, which has a volume",
    "MUSTER_BIND": "stands in the Dockerfile",
    "MUSTER_HEALTH_HOST": "stands in the Dockerfile",
    "MUSTER_HEALTH_PORT": "stands in the Dockerfile",
    "MUSTER_SIGNING_KEY_FILE": "stands in the Dockerfile",
    "MUSTER_RECEIPT_KEY_FILE": "stands in the Dockerfile",
    "MUSTER_WEBHOOK_KEY_FILE": "stands in the Dockerfile",
    "MUSTER_WEBHOOK_ALLOW": "is a choice of the installation",
    "MUSTER_WEBHOOK_FORBID": "is a choice of the installation",
    "MUSTER_THREADS": "is tuned by who measured",
    "MUSTER_MAX_WAITERS": "follows from the threads",
    "MUSTER_MAX_WAITING_SECONDS": "is tuned by who measured",
    "MUSTER_MAX_CONNECTIONS": "is tuned by who measured",
    "MUSTER_KEEPALIVE_SECONDS": "is tuned by who measured",
    "MUSTER_HEAD_SECONDS": "is tuned by who measured",
    "MUSTER_MAX_HEAD_BYTES": "is tuned by who measured",
    "MUSTER_MAX_BODY_BYTES": "is tuned by who measured",
    "MUSTER_MAX_BATCH_BYTES": "is tuned by who measured",
    "MUSTER_MAX_PREVIEW_BYTES": "is tuned by who measured, with the memory of dbuploader",
    "MUSTER_MAX_CORRECTIONS_BYTES": "is tuned by who measured",
    "MUSTER_MAX_WAITERS_PER_USER": "is a choice of the installation",
    "MUSTER_MAX_QUEUED_SECONDS": "is a choice of the installation",
    "MUSTER_UPLOADS_PER_USER": "is a choice of the installation",
    "MUSTER_BYTES_PER_USER_A_DAY": "is a choice of the installation",
    "MUSTER_EXPECTATIONS": "is a choice of the installation",
    "MUSTER_UNDO_DAYS": "is a choice of the installation",
    "MUSTER_BODY_SECONDS": "is tuned by who measured",
    "MUSTER_MIN_BYTES_PER_SECOND": "is tuned by who measured",
    "MUSTER_READ_TIMEOUT_SECONDS": "is tuned by who measured",
    "MUSTER_MAX_SLOW_CLIENTS": "follows from the threads",
    "MUSTER_SWEEP_AFTER_SECONDS": "is tuned by who measured",
    "MUSTER_KEEP_FILES_DAYS": "is a choice of the installation",
    "MUSTER_STUCK_SECONDS": "is the last resort",
    "MUSTER_STALL_SECONDS": "is tuned by who measured",
    "MUSTER_LOAD_SECONDS": "is tuned by who measured",
    "MUSTER_UPLOADS_AT_ONCE": "is tuned by who measured",
    "MUSTER_KEEP_ANSWERS_HOURS": "is a choice of the installation",
    "MUSTER_MAX_BATCH_ERRORS": "is tuned by who measured",
    "MUSTER_MAX_REJECTS_BYTES": "is tuned by who measured",
    "MUSTER_MAX_WORKBOOK_BYTES": "is tuned by who measured, with the memory of the consumer",
    "MUSTER_TOKEN_SECONDS": "is a choice of the installation",
    "MUSTER_AUDIT_DAYS": "is a choice of the installation",
    "MUSTER_LOGIN_CHECKS": "is tuned by who measured",
    "MUSTER_LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS": "is a choice of the installation, made in prod",
    "MUSTER_LOGIN_LIMIT_PER_ACCOUNT": "is a choice of the installation, made in prod",
    "MUSTER_LOGIN_LIMIT_PER_ADDRESS": "is a choice of the installation, made in prod",
}
# Of a backend: in the cluster it runs as nobody with a home, or as one node of several.
OF_THE_CLUSTERS_BACKENDS = {
    "mongo": {"HOME"},
}
# Volumes of what is not to be lost: in the pods, and in Compose.
KEPT_AS = {"data", "receipt-key", "signing-key", "webhook-key"}
KEPT_IN_COMPOSE = {
    *("auth-db", "employment-db", "mailpit", "mongo", "notification-db", "rabbitmq"),
    *KEPT_AS - {"data"},
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_same_processes_run_as_in_compose(tree: Tree, name: str) -> None:
    assert set(processes(tree.rendered(name))) == set(compose_processes())


@pytest.mark.parametrize(
    "process", compose_processes(), ids=lambda each: " ".join((each.service, *each.command))
)
@pytest.mark.parametrize("name", OVERLAYS)
def test_a_process_is_told_what_it_reads_and_what_compose_tells_it(
    tree: Tree, name: str, process: Process
) -> None:
    manifests = tree.rendered(name)
    told = set(environment_of(manifests, processes(manifests)[process]))
    assert told <= variables_of(process.service)
    assert told - set(ONLY_IN_THE_CLUSTER) == set(compose_processes()[process])


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_of_a_service_is_set_or_left_alone_on_purpose(
    dev: Manifests, service: str
) -> None:
    told = {
        name
        for process, container in processes(dev).items()
        if process.service == service
        for name in environment_of(dev, container)
    }
    left = variables_of(service) - told
    from_files = {f"{name}_FILE" for name in told | set(LEFT_TO_THEIR_DEFAULT)}
    assert left - from_files <= set(LEFT_TO_THEIR_DEFAULT)


def test_nothing_is_excepted_for_nothing(tree: Tree) -> None:
    told = {
        name
        for overlay in OVERLAYS
        for container in processes(tree.rendered(overlay)).values()
        for name in environment_of(tree.rendered(overlay), container)
    }
    assert set(ONLY_IN_THE_CLUSTER) <= told
    reads = set().union(*map(variables_of, SERVICES))
    assert set(LEFT_TO_THEIR_DEFAULT) <= reads


@pytest.mark.parametrize(
    "backend", ["auth-db", "employment-db", "mailpit", "mongo", "notification-db", "rabbitmq"]
)
def test_a_backend_is_told_what_compose_tells_it(dev: Manifests, backend: str) -> None:
    (container,) = [
        container
        for workload in dev.workloads()
        if workload.name == backend
        for container in workload.containers
    ]
    told = set(environment_of(dev, container)) - OF_THE_CLUSTERS_BACKENDS.get(backend, set())
    composed = compose()[backend]
    assert told == set(composed["environment"])
    assert container["image"] == composed["image"]
    assert container.get("args", []) == composed.get("command", [])


def test_the_images_that_overlays_set_anew_stand_in_the_base_as_in_compose() -> None:
    files = [file.read_text("utf-8") for file in K8S.rglob("*.yaml")]
    named = {image for text in files for image in re.findall(r"^\s*image: (\S+)$", text, re.M)}
    assert named == {each["image"] for each in compose().values()}


def test_every_value_of_compose_that_is_no_secret_is_the_clusters_too(dev: Manifests) -> None:
    different = {
        (process.service, name): (value, told[name])
        for process, values in compose_processes().items()
        if (told := environment_of(dev, processes(dev)[process]))
        for name, value in values.items()
        if name in told and "$" not in str(value) and str(value) != told[name]
    }
    assert different == {}


@pytest.mark.parametrize("process", compose_processes(), ids=lambda each: " ".join(each.command))
def test_what_a_process_is_told_is_what_its_settings_take(
    dev: Manifests, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment_of(dev, processes(dev)[process]).items():
        monkeypatch.setenv(name, value)
    settings = import_module(f"{process.service}.settings").Settings()
    assert settings.model_fields_set


def test_what_is_kept_is_where_compose_keeps_it(dev: Manifests) -> None:
    kept = {
        (workload.name, mount["mountPath"])
        for workload in dev.workloads()
        for container in workload.containers
        for mount in container["volumeMounts"]
        if mount["name"] in KEPT_AS
    }
    composed = {
        (name, path)
        for name, container in compose().items()
        if name != "auth-admin"  # In the cluster it is in auth's pod.
        for volume, _, path in (each.partition(":") for each in container.get("volumes", []))
        if volume in KEPT_IN_COMPOSE
    }
    assert kept == composed
    assert "MUSTER_SIGNING_KEY_FILE=/var/lib/muster/signing-key.pem" in dockerfile("auth")
    assert "MUSTER_RECEIPT_KEY_FILE=/var/lib/muster/receipt-key.pem" in dockerfile("dbuploader")
    assert {("auth", "/var/lib/muster"), ("dbuploader-consumer", "/var/lib/muster")} <= kept


def test_every_key_of_a_config_map_or_secret_is_used(dev: Manifests) -> None:
    there = {
        (each["kind"], name_of(each), key)
        for each in dev.of("ConfigMap", "Secret")
        for key in data_of(each)
    }
    assert there == used_keys(dev)


def test_in_prod_whoever_has_a_url_has_the_authorities_that_it_may_name(tree: Tree) -> None:
    for workload in tree.rendered("prod").workloads():
        for container in workload.all_containers:
            if any(each["name"].endswith("_URL") for each in container.get("env", [])):
                mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
                assert "/etc/muster" in mounted, (workload, container["name"])
