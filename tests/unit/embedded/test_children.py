"""One child process, as the supervisor sees it."""

import os
import signal

import pytest

from embedded.child import Child, Program
from embedded.home import Home
from tests.unit.embedded.supervising import MakeChild, is_alive, pid_of
from tests.waiting import eventually


def test_a_child_that_ended_unnoticed_before_it_is_asked_to_stop_still_tells_its_status(
    make_child: MakeChild, home: Home
) -> None:
    child = make_child()
    child.start()
    pid = pid_of(child, home)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))

    child.terminate()

    assert child.ended() == -signal.SIGKILL
    assert not child.running


def test_however_often_a_child_has_died_it_rests_no_longer_than_it_was_told(
    home: Home, stopped_clock: float
) -> None:
    child = Child(Program("worker", ("true",), {}), home, longest_backoff=0.5)
    for _ in range(2000):
        child.back_off()
    assert child.restart_at - stopped_clock == pytest.approx(0.5)
