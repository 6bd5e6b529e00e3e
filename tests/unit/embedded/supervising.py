"""What the tests of the supervisor ask and wait for."""

import time
from collections.abc import Callable

import psutil

from embedded.children import Child
from embedded.home import Home
from embedded.supervisor import Supervisor

MakeChild = Callable[..., Child]
Supervise = Callable[..., Supervisor]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        time.sleep(0.01)


def pid_of(child: Child, home: Home) -> int:
    return int((home.run / f"{child.program.name}.pid").read_text())


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
