"""Services call each other by TLS: the port that has it, and the URL that asks for it."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
import requests

from gateway.errors import UpstreamUnavailable
from gateway.proxy.upstream import Upstream
from muster.adapters import ConfigurationError
from muster.http.direct import ServiceUrl
from muster.http.tls_port import Certificate, TlsPort
from tests.contract.certificates import Authority
from tests.servers.http import serving
from tests.servers.process import free_port
from tests.waiting import eventually

LONG = b"x" * 1_000_000


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Files:
    """A certificate's two files, renewed as cert-manager does."""

    def __init__(self, directory: Path, authority: Authority, name: str = "127.0.0.1") -> None:
        self.certificate, self.key = directory / "tls.crt", directory / "tls.key"
        self._authority, self._name = authority, name
        self.renew()

    def renew(self) -> None:
        made = self._authority.server_file(self._name)
        for file in (self.certificate, self.key):
            shutil.copy(made, file)


@contextmanager
def tls_port(certificate: Certificate, target: int) -> Iterator[int]:
    port, loop, stop = free_port(), asyncio.new_event_loop(), asyncio.Event()
    serving = TlsPort(certificate, ("127.0.0.1", target)).serve(("127.0.0.1", port), stop)
    thread = Thread(target=loop.run_until_complete, args=(serving,))
    thread.start()
    try:
        eventually(lambda: listens(port))
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    return Files(tmp_path, authority)


@pytest.fixture
def certificate(files: Files) -> Certificate:
    return Certificate(files.certificate, files.key)


@pytest.fixture
def port(certificate: Certificate) -> Iterator[int]:
    with serving(Echo) as target, tls_port(certificate, target) as port:
        yield port


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def shown(port: int, ca_file: Path) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), ca_certs=str(ca_file))


def post(url: str, ca_file: Path | None, body: bytes = b"rows") -> bytes:
    upstream = Upstream("queries", f"{url}?ca_file={ca_file}" if ca_file else url, 1)
    try:
        answer = upstream.send("POST", "/", headers={}, body=body, client_address="")
        return answer.body
    finally:
        upstream.close()


def test_a_service_is_called_by_tls(port: int, authority: Authority) -> None:
    url = f"https://127.0.0.1:{port}"
    assert post(url, authority.ca_file) == b"rows"
    assert post(url, authority.ca_file, LONG) == LONG
    with ServiceUrl.parse(f"{url}?ca_file={authority.ca_file}").session() as session:
        assert session.post(url, data=b"rows", timeout=60).content == b"rows"


def test_nothing_is_said_to_one_who_does_not_prove_to_be_the_service(
    port: int, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    for ca_file in (other.ca_file, None):
        with pytest.raises(UpstreamUnavailable):
            post(f"https://127.0.0.1:{port}", ca_file)
    with pytest.raises(UpstreamUnavailable):
        post(f"https://localhost:{port}", tmp_path / "authority.pem")
    with (
        ServiceUrl.parse(f"https://127.0.0.1:{port}").session() as session,
        pytest.raises(requests.exceptions.SSLError),
    ):
        session.get(f"https://127.0.0.1:{port}", timeout=60)


def test_who_speaks_no_tls_is_not_answered(port: int) -> None:
    with pytest.raises(UpstreamUnavailable):
        post(f"http://127.0.0.1:{port}", None)


def test_a_renewed_certificate_counts_for_the_next_connection(
    port: int, files: Files, certificate: Certificate, authority: Authority
) -> None:
    url, before = f"https://127.0.0.1:{port}", shown(port, authority.ca_file)
    with ServiceUrl.parse(f"{url}?ca_file={authority.ca_file}").session() as session:
        session.post(url, data=b"1", timeout=60)
        assert not certificate.renew()
        files.renew()
        assert certificate.renew()
        # The one that is open goes on.
        assert session.post(url, data=b"2", timeout=60).content == b"2"
    assert shown(port, authority.ca_file) != before
    assert post(url, authority.ca_file) == b"rows"


def test_a_certificate_that_is_half_renewed_waits(files: Files, certificate: Certificate) -> None:
    key = files.key.read_bytes()
    files.renew()
    renewed = files.key.read_bytes()
    files.key.write_bytes(key.partition(b"-----BEGIN CERTIFICATE")[0])
    assert not certificate.renew()
    files.key.write_bytes(renewed)
    assert certificate.renew()


def test_where_nothing_listens_behind_the_connection_is_closed(
    certificate: Certificate, authority: Authority
) -> None:
    with tls_port(certificate, free_port()) as port, pytest.raises(UpstreamUnavailable):
        post(f"https://127.0.0.1:{port}", authority.ca_file)


@pytest.mark.parametrize(
    "url",
    [
        "auth:8080",
        "ftp://auth",
        "https://",
        "http://auth:8080?ca_file=/etc/hosts",
        "https://auth:8443?ca_file=",
        "https://auth:8443?ca_file=/nowhere/ca.pem",
        "https://auth:8443?verify=no",
    ],
)
def test_a_url_that_says_something_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="The URL of a service can't be"):
        ServiceUrl.parse(url)


def test_the_address_of_a_service_has_no_options(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    url = ServiceUrl.parse(f"https://auth:8443/a/?ca_file={tmp_path / 'ca.pem'}")
    assert url == ServiceUrl("https://auth:8443/a", str(tmp_path / "ca.pem"))
