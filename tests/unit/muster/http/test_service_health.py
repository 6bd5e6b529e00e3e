"""The health routes, access log and metrics that every service has."""

import socket
from collections.abc import Iterator

import pytest
import requests
from flask import Flask
from structlog.testing import capture_logs

from embedded import ports
from muster.backends.dependencies import Afresh
from muster.http.service import Health, install_service, serve_health
from muster.worker.heartbeat import Heartbeat
from tests.waiting import DEADLINE_SECONDS, eventually, eventually_up


class Dependency:
    def __init__(self) -> None:
        self.answers = True

    def check(self) -> None:
        if not self.answers:
            raise ConnectionError("no route to mysql://muster:secret@host")


@pytest.fixture
def broker() -> Dependency:
    return Dependency()


@pytest.fixture
def store() -> Dependency:
    return Dependency()


@pytest.fixture
def app(broker: Dependency, store: Dependency) -> Flask:
    app = Flask("health-test")
    dependencies = {"broker": broker.check, "store": store.check}
    install_service(app, "health-test", Health({"broker": broker.check}, dependencies))

    @app.get("/things/<name>")
    def thing(name: str) -> str:
        return name

    return app


def test_a_process_is_alive_whatever_it_depends_on(app: Flask, broker: Dependency) -> None:
    broker.answers = False
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_service_is_ready_when_it_can_do_part_of_its_work(app: Flask, store: Dependency) -> None:
    store.answers = False
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]) == (200, ["broker"])


def test_a_metric_tells_which_dependency_is_away_though_nobody_asks_for_readiness(
    app: Flask, store: Dependency
) -> None:
    store.answers = False
    with capture_logs() as logs:
        eventually_up(app.test_client(), "health-test", {"broker": True, "store": False})
    (line,) = logs
    assert (line["event"], line["dependency"]) == ("dependency not ready", "store")


def test_a_probe_has_dependencies_asked_and_does_not_wait_for_them(
    app: Flask, store: Dependency
) -> None:
    store.answers = False
    with capture_logs() as logs:
        assert app.test_client().get("/readyz").status_code == 200
        eventually(lambda: logs)
    assert [each["dependency"] for each in logs] == ["store"]


def test_a_service_that_is_not_ready_names_what_is_missing_and_no_more(
    app: Flask, broker: Dependency
) -> None:
    broker.answers = False
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["detail"] == "Not ready: it waits for broker."
    assert "Retry-After" in answer.headers
    assert "secret" not in answer.text


def test_requests_are_counted_by_route_and_status(app: Flask) -> None:
    client = app.test_client()
    client.get("/things/one")
    client.get("/things/two")
    client.get("/nowhere")
    metrics = client.get("/metrics")
    assert metrics.mimetype == "text/plain"
    counted = (
        'muster_http_requests_total{method="GET",route="%s",service="health-test",status="%d"}'
    )
    assert f"{counted % ('/things/<name>', 200)} 2.0" in metrics.text
    assert f"{counted % ('(none)', 404)} 1.0" in metrics.text


def test_requests_are_logged_and_probes_are_not(app: Flask) -> None:
    with capture_logs() as logs:
        app.test_client().get("/healthz")
        app.test_client().get("/things/one")
    assert [(line["path"], line["status"]) for line in logs] == [("/things/one", 200)]


@pytest.fixture
def port() -> Iterator[int]:
    with ports.reserve() as reserved:
        yield ports.port_of(reserved)


def statuses(port: int) -> dict[str, int]:
    with requests.Session() as session:
        session.trust_env = False
        paths = ("/healthz", "/readyz", "/metrics")
        return {
            path: session.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code
            for path in paths
        }


def serve(port: int, broker: Dependency, heartbeat: Heartbeat) -> None:
    checks = {"broker": broker.check}
    serve_health("health-test", "127.0.0.1", port, Health(checks, checks, heartbeat.check))


def test_a_consumer_serves_its_health_beside_its_work(port: int) -> None:
    heartbeat = Heartbeat()
    serve(port, Dependency(), heartbeat)
    assert statuses(port) == {"/healthz": 200, "/readyz": 200, "/metrics": 200}


def test_a_client_that_says_nothing_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muster.http.service._Silent.timeout", 0.1)
    serve(port, Dependency(), Heartbeat())
    with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as connection:
        assert connection.recv(1) == b""


def test_a_consumer_whose_loop_stands_still_is_neither_alive_nor_ready(port: int) -> None:
    now = [0.0]
    heartbeat = Heartbeat(lambda: now[0])
    serve(port, Dependency(), heartbeat)
    now[0] = 61.0
    assert statuses(port) == {"/healthz": 503, "/readyz": 503, "/metrics": 200}


def test_a_consumer_is_alive_while_what_it_depends_on_is_away(port: int) -> None:
    broker = Dependency()
    broker.answers = False
    serve(port, broker, Heartbeat())
    assert statuses(port) == {"/healthz": 200, "/readyz": 503, "/metrics": 200}


def test_a_consumer_that_does_not_reach_what_others_reach_is_not_alive(port: int) -> None:
    broker = Dependency()
    broker.answers = False
    checks = {"broker": broker.check}
    afresh = Afresh({"broker": Dependency().check}, seconds=0.0)
    serve_health("stuck", "127.0.0.1", port, Health({}, checks, Heartbeat().check, afresh))
    assert statuses(port)["/healthz"] == 200
    # It is asked by those who ask for metrics.
    eventually(lambda: statuses(port)["/healthz"] == 503)
