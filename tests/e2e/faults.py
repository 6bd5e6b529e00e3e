"""What a storm strikes with."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psutil

from embedded.suite_process import SuiteProcess
from tests.e2e.waiting import wait_until
from tests.servers.process import ServerProcess
from tests.unit.embedded.supervising import is_alive

WORKERS = ("gateway-relay", "dbuploader-consumer", "notification-consumer")
PROCESSES = ("gateway", "auth", "dbuploader", "notification", "queries", *WORKERS)
_LONGEST_DOWN_SECONDS = 5.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: `strike` returns when it is over, or others see to its end."""

    name: str
    strike: Callable[[], None]


def process_kills(
    suite: SuiteProcess, chance: random.Random, names: Sequence[str] = PROCESSES
) -> list[Fault]:
    """SIGKILL to each of the processes, in a random order; the supervisor starts it again."""

    def kill(name: str) -> Fault:
        # One that is down at the moment is met as soon as it is back.
        return Fault(name, lambda: wait_until(lambda: suite.kill(name)))

    return [kill(name) for name in chance.sample(names, len(names))]


def supervisor_kill(suite: SuiteProcess) -> Fault:
    """SIGKILL to the supervisor, and so to everything; started again at once."""

    def strike() -> None:
        supervisor = psutil.Process(suite.supervisor_pid)
        below = [child.pid for child in supervisor.children(recursive=True)]
        suite.kill_supervisor()
        # No child outlives the supervisor, but on a busy machine it takes them a moment to end.
        wait_until(lambda: not any(map(is_alive, below)))
        suite.start_again()

    return Fault("the supervisor", strike)


def server_kill(name: str, server: ServerProcess, chance: random.Random) -> Fault:
    """SIGKILL to a server, which is started again some seconds later."""

    def strike() -> None:
        server.kill()
        threading.Event().wait(chance.uniform(0, _LONGEST_DOWN_SECONDS))
        server.start()

    return Fault(f"{name} restarted", strike)


def outage(
    name: str, server: ServerProcess, seconds: float, meanwhile: Iterable[Fault]
) -> list[Fault]:
    """A server that is down for `seconds` at least, and what is struck during that time."""
    went_down = 0.0

    def go_down() -> None:
        nonlocal went_down
        server.kill()
        went_down = time.monotonic()

    def come_back() -> None:
        threading.Event().wait(went_down + seconds - time.monotonic())
        server.start()

    return [Fault(f"{name} down", go_down), *meanwhile, Fault(f"{name} back", come_back)]
