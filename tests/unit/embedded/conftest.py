import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from embedded import ports
from embedded.child import Child, Program
from embedded.home import Home
from embedded.supervisor import Supervisor, stop_all
from tests.unit.embedded.supervising import MakeChild, Supervise

STAND_IN = Path(__file__).parent / "stand_in.py"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path / "home") as home:
        yield home


@pytest.fixture
def make_child(home: Home) -> Iterator[MakeChild]:
    made: list[Child] = []
    reservations = []

    def make(
        behaviour: str = "good", name: str = "worker", *, front: bool = False, caller: bool = True
    ) -> Child:
        reservations.append(ports.reserve())
        port = ports.port_of(reservations[-1])
        command = (sys.executable, str(STAND_IN), str(port), behaviour)
        health = f"http://127.0.0.1:{port}"
        program = Program(name, command, dict(os.environ), health, front=front, caller=caller)
        child = Child(program, home)
        made.append(child)
        return child

    yield make
    for child in made:
        stop_all([child], 60)
    for reservation in reservations:
        reservation.close()


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> float:
    """What time it is for children, all the while."""
    monkeypatch.setattr("embedded.child.time", SimpleNamespace(monotonic=lambda: 1000.0))
    return 1000.0


@pytest.fixture
def supervise() -> Supervise:
    def make(*children: Child) -> Supervisor:
        return Supervisor(children, threading.Event())

    return make
