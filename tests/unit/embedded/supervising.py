"""What the tests of the supervisor ask and wait for."""

from collections.abc import Callable

import psutil

from embedded.child import Child
from embedded.home import Home
from embedded.supervisor import Supervisor

MakeChild = Callable[..., Child]
Supervise = Callable[..., Supervisor]


def pid_of(child: Child, home: Home) -> int:
    return int((home.run / f"{child.program.name}.pid").read_text())


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
