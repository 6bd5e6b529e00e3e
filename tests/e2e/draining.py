"""Load on one process, and what became of each request when the process was told to stop."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from embedded import lifeline
from embedded.suite_process import SuiteProcess
from tests.e2e.waiting import wait_until
from tests.servers.process import free_port

_ROOT = Path(__file__).parents[2]
_TIMEOUT = 120.0

Send = Callable[[requests.Session, int], requests.Response]
"""Sends one request; the number is another one each time."""


@dataclass(frozen=True)
class Replica:
    """Another process of a service of `suite`, run as its image runs it, at a port of its own."""

    service: str
    suite: SuiteProcess
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        # What the suite's own process was given, passwords and addresses of the others included.
        own = psutil.Process(self.suite.pid(self.service)).environ()
        argv = [sys.executable, "-m", *_command_of(self.service)]
        process = subprocess.Popen(
            # Nothing is left running when the tests themselves are killed.
            lifeline.command(signal.SIGKILL, argv),
            env={**own, "MUSTER_BIND": f"127.0.0.1:{self.port}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=_TIMEOUT).ok
        except requests.RequestException:
            return False


def _command_of(service: str) -> list[str]:
    text = (_ROOT / service / "Dockerfile").read_text("utf-8")
    (command,) = re.findall(r"^CMD \[(.+)\]$", text, re.MULTILINE)
    return re.findall(r'"([^"]+)"', command)


class Load(threading.Thread):
    """Sends one request after the other until the connection is refused.

    Either all of them on one connection, or each on a `fresh` one.
    """

    def __init__(self, send: Send, pause: float, *, fresh: bool, first: int) -> None:
        super().__init__(name=f"load {first}", daemon=True)
        self._send, self._pause, self._fresh, self._number = send, pause, fresh, first
        self.answered: list[requests.Response] = []
        self.failures: list[str] = []
        self.refused = False

    def run(self) -> None:
        session = requests.Session()
        while not self.refused:
            if self._fresh:
                session.close()
            self._number += 1
            try:
                self._take(self._send(session, self._number))
            except requests.RequestException as error:
                self.refused = "Connection refused" in str(error)
                if not self.refused:
                    self.failures.append(repr(error))
            time.sleep(self._pause)
        session.close()

    def _take(self, answer: requests.Response) -> None:
        if answer.ok:
            self.answered.append(answer)
        else:
            self.failures.append(f"{answer.status_code} {answer.text}")


def stop_under_load(loads: Mapping[Replica, Sequence[Load]]) -> None:
    """SIGTERM to all replicas while each load is let in; returns once they and the load ended."""
    with ExitStack() as stack:
        processes = [stack.enter_context(replica.running()) for replica in loads]
        for process, replica in zip(processes, loads, strict=True):
            wait_until(replica.is_ready)
            assert process.poll() is None
        each = [load for its_loads in loads.values() for load in its_loads]
        for load in each:
            load.start()
        wait_until(lambda: all(load.answered or load.failures for load in each))
        for process in processes:
            process.terminate()
        assert [process.wait(_TIMEOUT) for process in processes] == [0] * len(processes)
        for load in each:
            load.join(_TIMEOUT)
