"""Certificates are renewed under traffic: no request fails, and nothing is restarted."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests

from embedded.suite_process import SuiteProcess
from muster.http.direct import ServiceUrl
from tests.contract.certificates import Authority
from tests.e2e.families import embedded_family
from tests.e2e.patient import admin_of
from tests.e2e.threads import in_threads
from tests.e2e.waiting import wait_until
from tests.servers.process import free_port

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

RENEWALS = 6
KEPT, ANEW = 4, 2


class Callers:
    """Threads that ask who they are, over connections that stay open, or over one each time."""

    def __init__(self, url: ServiceUrl, token: str) -> None:
        self._url, self._token = url, token
        self._stop = threading.Event()
        self.answered = 0
        self.failed: list[str] = []

    def calling(self) -> AbstractContextManager[None]:
        return in_threads([self._keep] * KEPT + [self._begin_anew] * ANEW, self._stop)

    def _keep(self) -> None:
        with self._url.session() as session:
            self._repeat(lambda: self._ask(session))

    def _begin_anew(self) -> None:
        def ask_once() -> None:
            with self._url.session() as session:
                self._ask(session)

        self._repeat(ask_once)

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(0.05):
            try:
                work()
                self.answered += 1
            except requests.RequestException as error:
                self.failed.append(repr(error))

    def _ask(self, session: requests.Session) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        session.get(f"{self._url.base}/v1/me", headers=headers, timeout=120).raise_for_status()


@contextmanager
def tls_port(directory: Path, port: int, suite: SuiteProcess) -> Iterator[Path]:
    """A port with TLS before the gateway; what it says."""
    files = [f"--certificate={directory / 'tls.crt'}", f"--key={directory / 'tls.key'}"]
    ports = [f"--listen=127.0.0.1:{port}", f"--to={suite.url.removeprefix('http://')}"]
    said = directory / "said"
    with said.open("wb") as output:
        command = [sys.executable, "-m", "muster.http.tls_port", *files, *ports]
        process = subprocess.Popen(command, stdout=output)
        try:
            yield said
        finally:
            process.terminate()
            assert process.wait(120) == 0


def renew(directory: Path, authority: Authority) -> None:
    made = authority.server_file("127.0.0.1")
    for name in ("tls.key", "tls.crt"):
        shutil.copy(made, directory / name)


def test_no_request_fails_while_certificates_are_renewed(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    renew(tmp_path, authority)
    url = ServiceUrl.parse(f"https://127.0.0.1:{port}?ca_file={authority.ca_file}")
    with (
        embedded_family(tmp_path).run() as suite,
        admin_of(suite) as admin,
        tls_port(tmp_path, port, suite) as said,
    ):
        wait_until(lambda: answers(url))
        token = str(admin.session.headers["Authorization"]).removeprefix("Bearer ")
        callers, begun = Callers(url, token), time.monotonic()
        with callers.calling():
            for renewals in range(1, RENEWALS + 1):
                renew(tmp_path, authority)
                wait_until(lambda: said.read_text().count("renewed") >= renewals)  # noqa: B023
        seconds = time.monotonic() - begun
    print(f"{callers.answered} answered, {len(callers.failed)} failed, in {seconds:.0f} s")
    assert callers.failed == []
    assert callers.answered > RENEWALS


def answers(url: ServiceUrl) -> bool:
    try:
        with url.session() as session:
            return session.get(f"{url.base}/healthz", timeout=60).ok
    except requests.ConnectionError:
        return False
