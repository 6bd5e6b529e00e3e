"""What the two overlays are for: all of it in one cluster, and a careful operator's."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.k8s.mutating import FIRST, Change
from tests.k8s.policies.configuration import every_image_is_its_publishers_and_pinned
from tests.k8s.references import used_keys
from tests.k8s.sources import SERVICES, processes
from tests.k8s.tree import K8S, OVERLAYS, Tree
from tools.k8s_check.edges import selects
from tools.k8s_check.environment import Reference, environment_of, references_of
from tools.k8s_check.manifests import Json, Manifests, name_of

BACKENDS = {"auth-db", "employment-db", "mongo", "notification-db", "rabbitmq"}
ASKED_BY_USERS = {"auth", "dbuploader", "gateway", "notification", "queries"}


@pytest.fixture
def prod(tree: Tree) -> Manifests:
    return tree.rendered("prod")


def test_each_service_and_backend_has_a_folder_of_its_own() -> None:
    folders = {each.name for each in (K8S / "base").iterdir() if each.is_dir()}
    assert folders == {*SERVICES, *BACKENDS, "namespace"}


def test_dev_runs_every_backend_and_brings_every_secret(dev: Manifests) -> None:
    stateful = {name_of(each) for each in dev.of("StatefulSet")}
    assert stateful == BACKENDS
    assert not any(each["spec"].get("replicas", 1) > 1 for each in dev.of("Deployment"))
    # It would scale at 35 millicores, which a start takes, and warn until the cluster has measured.
    assert dev.of("HorizontalPodAutoscaler") == []
    there = {name_of(each) for each in dev.of("Secret")}
    assert {name for kind, name, _ in used_keys(dev) if kind == "Secret"} == there


def test_prod_brings_no_secret_and_no_server_that_is_managed(prod: Manifests) -> None:
    assert prod.of("Secret") == []
    assert {name_of(each) for each in prod.of("StatefulSet")} == {"rabbitmq"}
    assert "mailpit" not in {name_of(each) for each in prod.of("Deployment")}


def test_prod_runs_three_nodes_of_rabbitmq_on_three_machines(prod: Manifests) -> None:
    (rabbitmq,) = (each for each in prod.workloads() if each.name == "rabbitmq")
    assert rabbitmq.spec["replicas"] == 3
    apart = rabbitmq.pod["affinity"]["podAntiAffinity"]
    # Not by a spread, which counts the nodes that there are: with one node all three may be on it.
    assert apart["requiredDuringSchedulingIgnoredDuringExecution"] == [
        {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": rabbitmq.name}},
        }
    ]


def test_the_name_of_a_database_is_known_before_it_is_ready(dev: Manifests) -> None:
    """The cluster's DNS keeps for half a minute that a name is unknown."""
    headless = [each for each in dev.of("Service") if each["spec"].get("clusterIP") == "None"]
    assert {"auth-db", "employment-db", "mongo", "notification-db"} <= {
        name_of(each) for each in headless
    }
    assert all(each["spec"].get("publishNotReadyAddresses") for each in headless)


def test_a_new_node_of_rabbitmq_waits_for_the_others(prod: Manifests) -> None:
    """By default it begins a cluster of its own after half a minute or more, and is ready."""
    (configuration,) = (
        each["data"]["20-cluster.conf"]
        for each in prod.of("ConfigMap")
        if "20-cluster.conf" in each["data"]
    )
    lines = configuration.splitlines()
    assert "cluster_formation.discovery_retry_limit = 1000000" in lines
    # With it a node wants to reach at least one other.
    assert "cluster_formation.target_cluster_size_hint = 3" in lines


def test_prod_has_more_than_one_of_all_that_users_wait_for(prod: Manifests) -> None:
    least = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]["minReplicas"]
        for scaler in prod.of("HorizontalPodAutoscaler")
    }
    fixed = {name_of(each): each["spec"].get("replicas", 1) for each in prod.of("Deployment")}
    assert {name for name in fixed if least.get(name, fixed[name]) < 2} == set()
    assert set(fixed) >= ASKED_BY_USERS


def test_prod_is_reached_by_tls_alone(prod: Manifests, tree: Tree) -> None:
    (gateway,) = prod.of("Gateway")
    encrypted = {each["name"] for each in gateway["spec"]["listeners"] if "tls" in each}
    for route in prod.of("HTTPRoute"):
        reached = {parent["sectionName"] for parent in route["spec"]["parentRefs"]}
        answers = any("backendRefs" in rule for rule in route["spec"]["rules"])
        assert not answers or reached <= encrypted
    (ingress,) = tree.rendered("prod with ingress").of("Ingress")
    covered = {host for each in ingress["spec"]["tls"] for host in each["hosts"]}
    assert {rule["host"] for rule in ingress["spec"]["rules"]} == covered


def test_the_ingress_takes_the_place_of_the_gateway_api(tree: Tree) -> None:
    kinds = {each["kind"] for each in tree.rendered("prod with ingress").objects}
    assert kinds & {"Gateway", "HTTPRoute", "ClientTrafficPolicy", "Ingress"} == {"Ingress"}


@pytest.mark.parametrize("name", ["prod", "prod with ingress"])
def test_a_large_file_is_streamed_and_who_sends_it_is_believed_to_be_who_the_proxy_says(
    tree: Tree, name: str
) -> None:
    manifests = tree.rendered(name)
    (told,) = (
        environment_of(manifests, each.containers[0])
        for each in manifests.workloads()
        if each.name == "gateway"
    )
    assert told["MUSTER_TRUSTED_PROXIES"] == "1"
    for ingress in manifests.of("Ingress"):
        said = ingress["metadata"]["annotations"]
        nginx = "nginx.ingress.kubernetes.io"
        assert said[f"{nginx}/proxy-request-buffering"] == said[f"{nginx}/proxy-buffering"] == "off"
        taken = int(said[f"{nginx}/proxy-body-size"].removesuffix("m")) * 2**20
        assert taken > int(told["MUSTER_MAX_UPLOAD_BYTES"])
    for route in manifests.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            assert "backendRefs" not in rule or rule["timeouts"] == {"request": "0s"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rabbitmqs_operators_make_the_broker_and_its_accounts(tree: Tree, overlay: str) -> None:
    manifests = tree.rendered(f"{overlay} with keda and rabbitmq-operator")
    own = {name_of(each) for each in manifests.of("StatefulSet", "Service", "Secret", "ConfigMap")}
    assert not any(name.startswith("rabbitmq") for name in own)
    named = {
        (process.service, variable["valueFrom"]["secretKeyRef"]["name"])
        for process, container in processes(manifests).items()
        for variable in container["env"]
        if variable["name"] in {"RABBITMQ_USERNAME", "RABBITMQ_PASSWORD"}
    }
    users = {name_of(each) for each in manifests.of("User")}
    assert named == {(name, f"{name}-user-credentials") for name in users - {"keda"}}
    (keda,) = manifests.of("TriggerAuthentication")
    assert {each["name"] for each in keda["spec"]["secretTargetRef"]} == {"keda-user-credentials"}
    (cluster,) = manifests.of("RabbitmqCluster")
    assert "override" not in cluster["spec"]


def test_the_operators_make_the_exchange_and_accounts_of_the_script(tree: Tree) -> None:
    names = ("AUTH", "DBUPLOADER", "GATEWAY", "NOTIFICATION", "KEDA")
    passwords = {f"MUSTER_RABBITMQ_{name}_PASSWORD": "abc" for name in names}
    script = ["sh", str(K8S.parent / "deploy" / "rabbitmq" / "accounts.sh")]
    made = json.loads(subprocess.run(script, env=passwords, capture_output=True, check=True).stdout)
    manifests = tree.rendered("prod with keda and rabbitmq-operator")
    for kind, key in (("Permission", "permissions"), ("TopicPermission", "topic_permissions")):
        rights = [
            {"user": spec["userReference"]["name"], "vhost": spec["vhost"], **spec["permissions"]}
            for spec in (each["spec"] for each in manifests.of(kind))
        ]
        assert sorted(rights, key=str) == sorted(made[key], key=str)
    (exchange,) = (each["spec"] for each in manifests.of("Exchange"))
    (same,) = made["exchanges"]
    for key in ("name", "vhost", "type", "durable"):
        assert exchange[key] == same[key]
    assert exchange["autoDelete"] == same["auto_delete"]
    tags = {name_of(each): ",".join(each["spec"].get("tags", [])) for each in manifests.of("User")}
    assert tags == {each["name"]: each["tags"] for each in made["users"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_files_in_s3_whoever_opens_them_is_told_where_and_reaches_them(
    tree: Tree, overlay: str
) -> None:
    manifests = tree.rendered(f"{overlay} with s3")
    told = {
        workload.name
        for workload in manifests.workloads()
        for container in workload.containers
        for name, reference in references_of(manifests, container)
        if name == "MUSTER_FILE_STORE_URL"
        and reference == Reference("Secret", "s3", "MUSTER_FILE_STORE_URL")
    }
    (policy,) = (each for each in manifests.of("NetworkPolicy") if name_of(each) == "muster-to-s3")
    reach = {
        workload.name
        for workload in manifests.workloads()
        if selects(policy["spec"]["podSelector"], workload.labels)
    }
    assert told == reach == {"gateway", "gateway-relay", "dbuploader", "dbuploader-consumer"}


def test_who_is_scaled_by_keda_has_no_number_of_its_own(tree: Tree) -> None:
    manifests = tree.rendered("prod with keda")
    (scaled,) = manifests.of("ScaledObject")
    name = scaled["spec"]["scaleTargetRef"]["name"]
    (deployment,) = (each for each in manifests.of("Deployment") if name_of(each) == name)
    assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_image_is_named_for_a_tag_or_digest(tree: Tree, name: str) -> None:
    kustomization: Json = yaml.safe_load((overlay(name) / "kustomization.yaml").read_text("utf-8"))
    run = {
        container["image"].partition(":")[0] for _, container in tree.rendered(name).containers()
    }
    assert run == {each["name"] for each in kustomization["images"]}


@pytest.mark.parametrize("pinned", [f"mongo@sha256:{'0a' * 32}", f"mongo:8.0@sha256:{'0a' * 32}"])
def test_an_image_may_be_pinned_by_its_digest(dev: Manifests, pinned: str) -> None:
    changed = Change("StatefulSet mongo", f"{FIRST}/image", pinned).applied_to(dev)
    assert list(every_image_is_its_publishers_and_pinned(changed)) == []


def overlay(name: str) -> Path:
    return K8S / "overlays" / name


def test_external_secrets_make_every_secret_that_prod_takes(tree: Tree) -> None:
    made = {
        (each["metadata"]["name"], item["secretKey"])
        for each in tree.rendered("prod with external-secrets").of("ExternalSecret")
        for item in each["spec"]["data"]
    }
    prod = tree.rendered("prod")
    taken = {
        (reference.name, reference.key)
        for workload in prod.workloads()
        for container in workload.all_containers
        for _, reference in references_of(prod, container)
        if reference.kind == "Secret"
    }
    mounted = {(name, key) for kind, name, key in used_keys(prod) if kind == "Secret"}
    keys = {
        ("auth-signing-key", "signing-key.pem"),
        ("dbuploader-receipt-key", "receipt-key.pem"),
        ("notification-webhook-key", "webhook-key"),
    }
    assert made == taken | mounted | keys
