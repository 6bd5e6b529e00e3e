"""The time of a process that is frozen for a while, and the limits that go by it."""

import pytest

from dbuploader.uploads.progress import TooSlow, WorkTime
from dbuploader.uploads.watchdog import ProcessClock, Watchdog

HOUR = 3600.0


class Machine:
    """A machine's clock, which goes on whatever its processes do."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> ProcessClock:
    return ProcessClock(machine)


def live(machine: Machine, clock: ProcessClock, seconds: int) -> None:
    """Let so much time pass, in which a consumer ticks."""
    for _ in range(seconds):
        machine.time += 1
        clock()


def test_it_goes_as_the_machine_s_and_stands_still_while_the_process_does(
    machine: Machine, clock: ProcessClock
) -> None:
    began = clock()
    live(machine, clock, 100)
    machine.time += 59
    assert clock() - began == 159
    machine.time += HOUR
    assert clock() - began == 159
    live(machine, clock, 10)
    assert clock() - began == 169


def test_a_load_is_no_slower_for_an_hour_in_which_its_process_was_frozen(
    machine: Machine, clock: ProcessClock
) -> None:
    work = WorkTime(600, lambda _seconds: None, clock)
    with work.running():
        live(machine, clock, 590)
        machine.time += HOUR
        work.check()
        live(machine, clock, 20)
        with pytest.raises(TooSlow):
            work.check()
    assert work.seconds == 610


def test_a_process_that_was_frozen_is_not_ended_for_it(
    machine: Machine, clock: ProcessClock
) -> None:
    ended: list[float] = []
    watchdog = Watchdog(300, lambda: ended.append(machine.time), clock)
    with watchdog.watching():
        live(machine, clock, 200)
        machine.time += HOUR
        watchdog.check()
        assert ended == []
        live(machine, clock, 101)
        watchdog.check()
    assert ended == [machine.time]


def test_the_loader_s_limits_go_by_it() -> None:
    defaults = (*Watchdog.__init__.__defaults__, *WorkTime.__init__.__defaults__)  # type: ignore[misc]
    assert sum(isinstance(default, ProcessClock) for default in defaults) == 2
