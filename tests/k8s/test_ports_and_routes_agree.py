"""Ports, probe paths, public paths and commands are those of the images and of the code."""

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask

from auth.cli import users_cli
from muster.http.service import Health, install_service
from tests.k8s.sources import SERVICES, compose, dockerfile, process_of, processes, read
from tests.k8s.tree import ALL, OVERLAYS, Tree
from tools.k8s_check.edges import container_port
from tools.k8s_check.manifests import Json, Manifests, Workload, name_of

# Backends' own: https://mailpit.axllent.org/docs/configuration/runtime-options/
OF_BACKENDS = {"mailpit": {"/livez", "/readyz"}}
# Served by the gateway to the cluster alone.
NOT_PUBLIC = {"/healthz", "/readyz", "/metrics"}


@cache
def routes(service: str, home: Path) -> set[str]:
    app: Flask = import_module(f"{service}.app").create_app(
        import_module(f"{service}.settings").Settings(home=home)
    )
    return {rule.rule for rule in app.url_map.iter_rules()}


@cache
def worker_routes() -> set[str]:
    app = Flask("worker")
    install_service(app, "worker", Health())
    return {rule.rule for rule in app.url_map.iter_rules()}


def probes(workload: Workload) -> list[Json]:
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    return [each[kind] for each in workload.containers for kind in kinds if kind in each]


@pytest.mark.parametrize("name", ALL)
def test_every_probe_asks_a_port_that_is_there_for_a_path_that_is_served(
    tree: Tree, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.getbasetemp()
    for workload in tree.rendered(name).workloads():
        for probe in probes(workload):
            asked = probe.get("httpGet") or probe.get("tcpSocket")
            if asked:
                assert container_port(workload, asked["port"])
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in served(workload, home), workload


def served(workload: Workload, home: Path) -> set[str]:
    container = workload.containers[0]
    process = process_of(container["image"], container.get("command", []))
    if process is None:
        return OF_BACKENDS[workload.name]
    return worker_routes() if process.command else routes(process.service, home)


@pytest.mark.parametrize("service", SERVICES)
def test_the_port_of_a_service_is_that_of_its_image(dev: Manifests, service: str) -> None:
    exposed = re.findall(r"^EXPOSE (\d+)$", dockerfile(service), re.MULTILINE)
    bound = re.findall(r"MUSTER_(?:BIND=0\.0\.0\.0:|HEALTH_PORT=)(\d+)", dockerfile(service))
    assert exposed * 2 == bound
    for process, container in processes(dev).items():
        if process.service == service and "ports" in container:
            assert [str(port["containerPort"]) for port in container["ports"]] == exposed


@pytest.mark.parametrize("name", ALL)
def test_every_port_of_a_service_is_one_of_its_pods(tree: Tree, name: str) -> None:
    manifests = tree.rendered(name)
    for service in manifests.of("Service"):
        for workload in manifests.selected_by(service["spec"]["selector"]):
            for port in service["spec"]["ports"]:
                assert container_port(workload, port["targetPort"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_services_have_the_names_and_ports_of_compose(tree: Tree, name: str) -> None:
    manifests = tree.rendered(name)
    serving = {name_of(each) for each in manifests.of("Service")}
    named = set(re.findall(r"(?:@|//)([a-z-]+):\d+", read("docker-compose.yml")))
    databases = {"auth-db", "employment-db", "notification-db", "mongo"}
    managed = {*databases, "mailpit"} if name == "prod" else set()
    assert named - managed <= serving
    assert serving <= set(compose()) | {"rabbitmq-nodes"}


@pytest.mark.parametrize(
    "name", ["prod", "dev with gateway-api", "dev with ingress", "prod with ingress"]
)
def test_what_is_public_is_the_api_and_its_docs_and_nothing_of_the_clusters(
    tree: Tree, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    public = public_paths(tree.rendered(name))
    for route in routes("gateway", tmp_path_factory.getbasetemp()) - {"/"}:
        is_public = any(_covers(path, exact, route) for path, exact in public)
        assert is_public is (route not in NOT_PUBLIC), route
    for path, _ in public:
        assert any(
            route.startswith(path) for route in routes("gateway", tmp_path_factory.getbasetemp())
        )


def public_paths(manifests: Manifests) -> set[tuple[str, bool]]:
    """The public paths, and whether each is exact."""
    ingress = {
        (path["path"], path["pathType"] == "Exact")
        for each in manifests.of("Ingress")
        for rule in each["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    return ingress | {
        (match["path"]["value"], match["path"]["type"] == "Exact")
        for each in manifests.of("HTTPRoute")
        for rule in each["spec"]["rules"]
        for match in rule.get("matches", [])
    }


def _covers(path: str, exact: bool, route: str) -> bool:
    return route == path or (not exact and route.startswith(f"{path}/"))


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_command_is_one_that_the_image_has(tree: Tree, name: str) -> None:
    for process in processes(tree.rendered(name)):
        match process.command:
            case ():
                pass
            case ("python", "-m", module):
                assert find_spec(module)
                assert module.partition(".")[0] == process.service
            case ("flask", "--app", "auth.app", "users", command):
                assert command in users_cli.commands
            case other:
                raise AssertionError(other)
