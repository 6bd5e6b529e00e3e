"""Keeps the suite's processes running, from the start to a clean stop."""

import threading
import time
from collections.abc import Callable, Sequence

import requests
import structlog

from embedded.child import Child
from embedded.errors import StartError
from muster.worker.shutdown import Stopped

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.1
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
    """The children, and the event that asks to stop them."""

    def __init__(self, children: Sequence[Child], stop: threading.Event) -> None:
        self._children = children
        self._stop = stop

    def start(self, seconds: float) -> None:
        """Start every child; return when all are ready.

        Raises ChildFailed when one isn't within `seconds`, Stopped when asked to stop meanwhile.
        """
        for child in self._children:
            _try_to_start(child)
        deadline = time.monotonic() + seconds
        with requests.Session() as session:
            # The machine's proxy, if it names one, is not for calls to itself.
            session.trust_env = False
            for child in self._children:
                while not _is_ready(child, session):
                    self._wait_for_readiness(child, deadline)

    def _wait_for_readiness(self, child: Child, deadline: float) -> None:
        self.tend()
        hopeless = [child for child in self._children if child.deaths >= _HOPELESS_DEATHS]
        if hopeless:
            raise ChildFailed(hopeless[0], "ends as soon as it is started")
        if time.monotonic() > deadline:
            raise ChildFailed(child, "does not become ready")
        if self._stop.wait(_POLL_SECONDS):
            raise Stopped

    def tend(self) -> None:
        """Start again what has ended, once its time has come."""
        for child in self._children:
            child.note_pid()
            status = child.ended()
            if status is not None:
                child.back_off()
                log.warning("process ended", process=child.program.name, status=status)
            if not child.running and time.monotonic() >= child.restart_at and _try_to_start(child):
                log.info("process started again", process=child.program.name)

    @property
    def running(self) -> bool:
        """Whether any child runs, as far as was noticed."""
        return any(child.running for child in self._children)

    def run(self) -> None:
        """Tend the children until asked to stop."""
        while not self._stop.wait(_POLL_SECONDS):
            self.tend()

    def stop(self, seconds: float, tell: Callable[[list[str]], None] = _tell_nobody) -> None:
        """Stop the children that take work in, then those that they call.

        Each group is killed if it takes longer than `seconds`. `tell` is called repeatedly with the
        names of those that are still running.
        """
        for front in (True, False):
            group = [child for child in self._children if child.program.front is front]
            stop_all(group, seconds, tell)


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
                if stop.wait(_POLL_SECONDS / 5):
                    raise Stopped
            if status:
                raise ChildFailed(child, f"ended with status {status}")
    finally:
        stop_all(children, _PROBE_SECONDS)


def _try_to_start(child: Child) -> bool:
    """Whether it was started; where there is no room for a process there may be some later."""
    try:
        child.start()
    except OSError as error:
        child.back_off()
        log.warning("process not started", process=child.program.name, error=repr(error))
        return False
    return True


def _is_ready(child: Child, session: requests.Session) -> bool:
    try:
        answer = session.get(
            f"{child.program.health}/readyz",
            # A server that stops waits for the connections that are kept open.
            headers={"Connection": "close"},
            timeout=_PROBE_SECONDS,
        )
    except requests.RequestException:
        return False
    return answer.ok


def _has_ended(child: Child) -> bool:
    child.ended()
    return not child.running


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS / 5)
    return True
