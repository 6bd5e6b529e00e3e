"""A suite whose processes are replaced one by one, as `kubectl rollout restart` does.

Each HTTP service has a port that does not change, from which all of its processes accept, as those
of a Service do; for probes each has another of its own. A new process has got ready before the
former is asked to stop.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from socket import socket

import requests

from embedded import lifeline, ports
from embedded.child import Child, Program
from embedded.home import Home
from embedded.suite import plan_suite
from embedded.supervisor import run_to_end
from tests.e2e.conftest import ADMIN, ROOT
from tests.e2e.waiting import DEADLINE_SECONDS, wait_until
from tests.servers.process import free_port

Variables = Callable[[str], Mapping[str, str]]
"""What a program is given beside what all are, by its name, such as `gateway-relay`."""


class Pod:
    """A process of the suite; `probes` is the URL of its health routes."""

    def __init__(self, program: Program, variables: Mapping[str, str], log: Path) -> None:
        environment = {**program.environment, **variables}
        if "MUSTER_BIND" in environment:
            self._serve(program, environment, log)
        else:
            port = free_port()
            self.probes = f"http://{ports.HOST}:{port}"
            environment["MUSTER_HEALTH_PORT"] = str(port)
            self._start(program.command, environment, log)

    def _serve(self, program: Program, environment: dict[str, str], log: Path) -> None:
        assert program.listener is not None
        with closing(ports.listen(0)) as own:
            self.probes = f"http://{ports.HOST}:{ports.port_of(own)}"
            inherited = (program.listener, own)
            environment["MUSTER_BIND"] = " ".join(f"fd://{each.fileno()}" for each in inherited)
            serve = ("-m", "gunicorn", "-c", "python:tests.e2e.pod_serving", program.command[-1])
            self._start((sys.executable, *serve), environment, log, *inherited)

    def _start(
        self,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        log: Path,
        *inherited: socket,
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                # Nothing is left running when the tests themselves are killed.
                lifeline.command(signal.SIGKILL, command),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[each.fileno() for each in inherited],
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Whether its readiness probe succeeds."""
        assert self._process.poll() is None, "it has ended"
        try:
            return requests.get(f"{self.probes}/readyz", timeout=DEADLINE_SECONDS).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        """Ask it to stop; returns its exit status."""
        self._process.terminate()
        return self._process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """End it and all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class RollingSuite:
    """All processes of a suite on servers; `url` is the gateway's."""

    def __init__(self, home: Home, variables: Variables) -> None:
        self.admin_password = home.admin_password() or ""
        self._log = home.logs
        environment = {**os.environ, "MUSTER_HOME": str(home.path)}
        suite = plan_suite(environment, free_port(), ADMIN, self.admin_password)
        self.url = suite.url
        self.close = suite.close
        self._programs = {each.name: each for each in suite.processes}
        self._pods: dict[str, Pod] = {}
        for first in (*suite.migrations, suite.admin):
            given = replace(first, environment={**first.environment, **variables(first.name)})
            run_to_end([Child(given, home)], threading.Event())

    @property
    def names(self) -> list[str]:
        """The programs, in the order in which they are started."""
        return [*self._programs]

    def start(self, variables: Variables) -> None:
        """Start a process of each, and return once all are ready."""
        for name in self.names:
            self._pods[name] = self._pod(name, variables)
        for pod in self._pods.values():
            wait_until(pod.is_ready)

    def roll(self, name: str, variables: Variables) -> None:
        """Replace the process of a program by one that is given `variables`."""
        former, pod = self._pods[name], self._pod(name, variables)
        try:
            wait_until(pod.is_ready)
            assert former.stop() == 0, name
        finally:
            former.kill()
            self._pods[name] = pod

    def kill(self) -> None:
        """End all."""
        for pod in self._pods.values():
            pod.kill()

    def _pod(self, name: str, variables: Variables) -> Pod:
        return Pod(self._programs[name], variables(name), self._log / f"{name}.log")


@contextmanager
def rolling_suite(directory: Path, variables: Variables) -> Iterator[RollingSuite]:
    """A suite of one process of each program, in databases that it migrates."""
    with Home(directory) as home, closing(RollingSuite(home, variables)) as suite:
        try:
            suite.start(variables)
            yield suite
        finally:
            suite.kill()
