import os
import signal
import threading

import pytest

from embedded.home import Home
from embedded.supervisor import ChildFailed, Supervisor, run_to_end
from muster.observability.log_file import LogFileSettings
from muster.worker.shutdown import Stopped
from tests.scarcity import no_more_files
from tests.unit.embedded.supervising import MakeChild, Supervise, is_alive, pid_of
from tests.waiting import eventually


def test_start_returns_when_every_child_is_ready(
    make_child: MakeChild, supervise: Supervise
) -> None:
    one, other = make_child(name="one"), make_child(name="other")
    supervise(one, other).start(60)
    assert one.running
    assert other.running


def test_a_probe_leaves_no_connection_that_a_server_would_wait_for(
    make_child: MakeChild, supervise: Supervise
) -> None:
    child = make_child("telling")
    supervise(child).start(60)
    assert set(child.log_tail().splitlines()) == {"Connection: close"}


def test_who_is_waited_for_at_the_end_is_told(make_child: MakeChild, supervise: Supervise) -> None:
    supervisor = supervise(make_child("stubborn", "slow"), make_child(name="quick"))
    supervisor.start(60)
    told: list[list[str]] = []
    supervisor.stop(0.5, told.append)
    assert ["slow"] in [[name for name in names if name != "quick"] for names in told]
    assert told[-1] == []
    assert not supervisor.running


def test_a_killed_child_is_started_again_on_its_port(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    child = make_child()
    supervisor = supervise(child)
    supervisor.start(60)
    first = pid_of(child, home)
    os.kill(first, signal.SIGKILL)

    def is_another() -> bool:
        supervisor.tend()
        return child.running and pid_of(child, home) != first

    eventually(is_another)
    assert not is_alive(first)


def test_what_a_killed_child_started_ends_with_it(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    child = make_child("with-child")
    supervise(child).start(60)
    grandchild = int(child.log.read_text())
    os.kill(pid_of(child, home), signal.SIGKILL)
    eventually(lambda: child.ended() is not None)
    eventually(lambda: not is_alive(grandchild))


def test_deaths_that_follow_closely_wait_longer_each_time(
    make_child: MakeChild, stopped_clock: float
) -> None:
    child = make_child()
    waits = []
    for _ in range(12):
        child.back_off()
        waits.append(child.restart_at - stopped_clock)
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(0.1)
    assert waits[-1] == pytest.approx(10)


def test_a_child_that_can_not_start_is_told_with_the_end_of_its_log(
    make_child: MakeChild, supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.child._STEADY_SECONDS", 600)
    child = make_child("failing", name="auth")
    with pytest.raises(ChildFailed, match=r"^auth ends as soon as it is started") as failure:
        supervise(child).start(60)
    assert "no such database" in failure.value.child.log_tail()


def test_a_child_that_never_becomes_ready_is_told(
    make_child: MakeChild, supervise: Supervise
) -> None:
    with pytest.raises(ChildFailed, match="does not become ready"):
        supervise(make_child()).start(0)


def test_a_child_that_ignores_the_request_to_stop_is_killed(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    child = make_child("stubborn")
    supervisor = supervise(child)
    supervisor.start(60)
    pid = pid_of(child, home)
    supervisor.stop(0.2)
    assert not is_alive(pid)
    assert not (home.run / "worker.pid").exists()


def test_what_takes_work_in_is_stopped_before_what_it_calls(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    behind = make_child("stubborn", name="behind")
    front = make_child("good", name="front", front=True)
    supervisor = supervise(behind, front)
    supervisor.start(60)
    stopping = threading.Thread(target=supervisor.stop, args=(60.0,))
    stopping.start()
    eventually(lambda: not front.running)
    assert behind.running
    os.kill(pid_of(behind, home), signal.SIGKILL)
    stopping.join()
    assert not behind.running


def test_what_calls_nobody_is_not_waited_for_before_the_rest_is_stopped(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    slow = make_child("stubborn", name="slow", front=True, caller=False)
    behind = make_child("good", name="behind")
    supervisor = supervise(slow, behind)
    supervisor.start(60)
    stopping = threading.Thread(target=supervisor.stop, args=(60.0,))
    stopping.start()
    eventually(lambda: not behind.running)
    assert slow.running
    os.kill(pid_of(slow, home), signal.SIGKILL)
    stopping.join()
    assert not slow.running


def test_a_request_to_stop_while_starting_ends_the_wait(make_child: MakeChild) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Supervisor([make_child()], stop).start(60)


def test_a_command_that_fails_is_told_with_its_status(make_child: MakeChild) -> None:
    with pytest.raises(ChildFailed, match="ended with status 1"):
        run_to_end([make_child("failing")], threading.Event())


def test_a_command_is_stopped_on_request(make_child: MakeChild) -> None:
    stop = threading.Event()
    stop.set()
    child = make_child()
    with pytest.raises(Stopped):
        run_to_end([child], stop)
    assert not child.running


def test_no_process_is_given_up_for_its_pid_file_or_its_log(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    child = make_child()
    for directory in (home.run, home.logs):
        directory.rename(directory.with_suffix(".away"))
    supervisor = supervise(child)
    supervisor.start(60)
    assert child.running
    for directory in (home.run, home.logs):
        directory.with_suffix(".away").rename(directory)
    supervisor.tend()
    assert is_alive(pid_of(child, home))


def test_a_process_that_can_not_be_started_is_tried_again(
    make_child: MakeChild, supervise: Supervise, home: Home
) -> None:
    child = make_child()
    supervisor = supervise(child)
    supervisor.start(60)
    os.kill(pid_of(child, home), signal.SIGKILL)

    def is_tried_again() -> bool:
        supervisor.tend()
        return child.deaths > 1

    with no_more_files():
        eventually(is_tried_again)
    assert not child.running

    def is_back() -> bool:
        supervisor.tend()
        return child.running

    eventually(is_back)


def test_a_long_log_is_set_aside_when_its_process_starts(
    make_child: MakeChild, supervise: Supervise
) -> None:
    child = make_child("with-child")
    with child.log.open("wb") as log:
        log.truncate(LogFileSettings().log_bytes + 1)
    supervise(child).start(60)
    assert child.log.with_name("worker.log.1").stat().st_size == LogFileSettings().log_bytes + 1
    assert child.log.stat().st_size < 100
