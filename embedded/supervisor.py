"""Keeps the suite's processes running, from the start to a clean stop."""

import math
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import structlog

from embedded.child import Child
from embedded.errors import StartError
from embedded.fork_client import ForkServer
from muster.worker.shutdown import Stopped

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.1
_QUICK_POLL_SECONDS = 0.01
_PROBE_SECONDS = 2.0
# How long a killed process may take to be gone, on a machine that is busy.
_GONE_SECONDS = 30.0
_HOPELESS_DEATHS = 3


def _tell_nobody(_names: list[str]) -> None:
    """Report nothing."""


class ChildFailed(StartError):
    """A child ended badly or never became ready; `child` has the log to look into."""

    def __init__(self, child: Child, what: str) -> None:
        super().__init__(f"{child.program.name} {what}; its log is {child.log}, which ends so:")
        self.child = child


class Supervisor:
    """The children, what forks them if it is a process, too, and the event that asks to stop."""

    def __init__(
        self,
        children: Sequence[Child],
        stop: threading.Event,
        forkserver: ForkServer | None = None,
    ) -> None:
        self._services = children
        self._forkserver = forkserver
        self._children = (*([] if forkserver is None else [forkserver]), *children)
        self._stop = stop

    def start(self, seconds: float) -> None:
        """Start every child; return when all are ready. Raises as await_ready does."""
        self.launch()
        self.await_ready(seconds)

    def launch(self) -> None:
        """Start every child."""
        for child in self._services:
            _try_to_start(child)

    def await_forkserver(self) -> None:
        """Start what forks the others; return when it can. Raises as await_ready does."""
        if self._forkserver is not None:
            _try_to_start(self._forkserver)
            while not self._forkserver.prepare():
                self._wait(self._forkserver, math.inf)

    def await_ready(self, seconds: float) -> None:
        """Return when all are ready.

        Raises ChildFailed when one isn't within `seconds`, Stopped when asked to stop meanwhile.
        """
        deadline = time.monotonic() + seconds
        for child in self._services:
            while not _is_ready(child):
                self._wait(child, deadline)

    def _wait(self, awaited: Child, deadline: float) -> None:
        for child in self._children:
            # Those after what is awaited first are not to be started yet.
            _tend(child)
            if child is self._forkserver is awaited:
                break
        hopeless = [child for child in self._children if child.deaths >= _HOPELESS_DEATHS]
        if hopeless:
            raise ChildFailed(hopeless[0], "ends as soon as it is started")
        if time.monotonic() > deadline:
            raise ChildFailed(awaited, "does not become ready")
        if self._stop.wait(_QUICK_POLL_SECONDS):
            raise Stopped

    def tend(self) -> None:
        """Start again what has ended, once its time has come."""
        for child in self._children:
            _tend(child)
        if self._forkserver is not None:
            _bury_orphans({child.pid for child in self._children})
            if all(child.running for child in self._children):
                self._forkserver.rest_if_idle()

    @property
    def running(self) -> bool:
        """Whether any child runs but for the fork server, as far as was noticed."""
        return any(child.running for child in self._services)

    def run(self) -> None:
        """Tend the children until asked to stop."""
        while not self._stop.wait(_POLL_SECONDS):
            self.tend()

    def stop(self, seconds: float, tell: Callable[[list[str]], None] = _tell_nobody) -> None:
        """Stop the children that take work in, then, once they have ended, those that they call.

        What takes longer than `seconds` is killed. `tell` is called repeatedly with the names of
        those that are still running.
        """
        if self._forkserver is not None:
            # It holds nothing, and what it has forked is not its child.
            self._forkserver.kill()
        front = [child for child in self._services if child.program.front]
        for child in front:
            child.terminate()
        callers = [child for child in front if child.program.caller]
        stop_all(callers, seconds, tell)
        stop_all([child for child in self._children if child not in callers], seconds, tell)


def stop_all(
    children: Sequence[Child],
    seconds: float,
    tell: Callable[[list[str]], None] = _tell_nobody,
) -> None:
    """Ask the children to stop, and kill what is left after `seconds`."""
    for child in children:
        child.terminate()

    def all_ended() -> bool:
        left = [child.program.name for child in children if not _has_ended(child)]
        tell(left)
        return not left

    if not _wait_until(all_ended, seconds):
        for child in children:
            log.warning("process killed", process=child.program.name)
            child.kill()
        _wait_until(all_ended, _GONE_SECONDS)


def run_to_end(children: Sequence[Child], stop: threading.Event) -> None:
    """Run commands, all at once, to their end.

    Raises ChildFailed when one ends badly, Stopped when asked to stop meanwhile.
    """
    for child in children:
        child.start()
    try:
        for child in children:
            while (status := child.ended()) is None:
                if stop.wait(_QUICK_POLL_SECONDS):
                    raise Stopped
            if status:
                raise ChildFailed(child, f"ended with status {status}")
    finally:
        stop_all(children, _PROBE_SECONDS)


def _tend(child: Child) -> None:
    child.note_pid()
    status = child.ended()
    if status is not None:
        child.back_off()
        log.warning("process ended", process=child.program.name, status=status)
    is_due = not child.running and time.monotonic() >= child.restart_at
    if is_due and child.can_start() and _try_to_start(child):
        log.info("process started again", process=child.program.name)


def _bury_orphans(known: Collection[int | None]) -> None:
    """Take note of the end of what this process was made the parent of, and did not start."""
    with suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in known:
                break
            os.waitpid(ended.si_pid, 0)


def _try_to_start(child: Child) -> bool:
    """Whether it was started; where there is no room for a process there may be some later."""
    try:
        child.start()
    except OSError as error:
        child.back_off()
        log.warning("process not started", process=child.program.name, error=repr(error))
        return False
    return True


def _is_ready(child: Child) -> bool:
    health = urlsplit(child.program.health or "")
    # A connection of its own, which this end closes: a server that stops waits for open ones.
    connection = HTTPConnection(health.hostname or "", health.port, timeout=_PROBE_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", "/readyz", headers={"Connection": "close"})
            answer = connection.getresponse()
            # To its end: the server would be reset by a client that leaves before.
            answer.read()
            return answer.status < HTTPStatus.BAD_REQUEST
        except (OSError, HTTPException):
            return False


def _has_ended(child: Child) -> bool:
    child.ended()
    return not child.running


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_QUICK_POLL_SECONDS)
    return True
