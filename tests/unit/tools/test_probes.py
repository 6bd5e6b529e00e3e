"""The probes that `make k8s-check` asks in a kubelet's place."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.servers.http import serving
from tools.k8s_check.manifests import Json
from tools.k8s_check.probes import Container


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"well?")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(Answers) as port:
        yield port


def container(probe: Json, port: int, said: list[str] | None = None) -> Container:
    answers = iter(said or [])
    ports = [{"name": "http", "containerPort": port}]
    manifest = {"ports": ports, "readinessProbe": {"timeoutSeconds": 60, **probe}}
    return Container(manifest, "127.0.0.1", lambda _command, _seconds: next(answers))


@pytest.mark.parametrize(("status", "well"), [(200, True), (302, True), (404, False), (503, False)])
def test_http_passes_up_to_a_redirect(port: int, status: int, well: bool) -> None:
    found = container({"httpGet": {"path": f"/{status}", "port": "http"}}, port)
    assert (found.ask("readinessProbe") == "") is well


def test_what_was_answered_is_told(port: int) -> None:
    found = container({"httpGet": {"path": "/503", "port": port}}, port)
    assert found.ask("readinessProbe") == "503 well?"


def test_tcp_passes_where_somebody_listens(port: int) -> None:
    assert container({"tcpSocket": {"port": "http"}}, port).ask("readinessProbe") == ""
    assert "refused" in container({"tcpSocket": {"port": 1}}, port).ask("readinessProbe").lower()


def test_nobody_there_is_a_failure() -> None:
    found = container({"httpGet": {"path": "/200", "port": 1}}, 1)
    assert "refused" in found.ask("readinessProbe").lower()


def test_a_command_is_run_in_the_container() -> None:
    assert container({"exec": {"command": ["ping"]}}, 1, ["no"]).ask("readinessProbe") == "no"


def test_another_kind_of_probe_does_not_pass() -> None:
    assert "does not know" in container({"grpc": {"port": 1}}, 1).ask("readinessProbe")


def test_it_is_asked_until_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.k8s_check.probes._PERIOD_SECONDS", 0)
    probe = {"exec": {"command": ["ping"]}, "periodSeconds": 30, "failureThreshold": 2}
    found = container(probe, 1, ["no", "not yet", ""])
    assert found.wait_until_it_passes("readinessProbe") == ""


def test_it_may_fail_only_as_long_as_the_manifest_says() -> None:
    probe = {"exec": {"command": ["ping"]}, "periodSeconds": 0}
    wrong = container(probe, 1, ["no"]).wait_until_it_passes("readinessProbe")
    assert wrong == "its readinessProbe fails for 0 s: no"
