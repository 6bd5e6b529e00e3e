"""What is forked is as what is executed, and depends on nothing but its supervisor."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded import lifeline, ports
from embedded.child import Child, Program
from embedded.fork_client import ForkServer
from embedded.home import Home
from embedded.launcher import Execute, Launcher
from embedded.supervisor import Supervisor, stop_all
from tests.unit.embedded.supervising import is_alive
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")


@pytest.fixture(autouse=True)
def _orphans_are_ours() -> Iterator[None]:
    lifeline.adopt_orphans()
    yield
    lifeline.adopt_orphans(False)


@pytest.fixture
def forkserver(home: Home) -> Iterator[ForkServer]:
    forkserver = ForkServer(home, os.environ)
    Supervisor([], threading.Event(), forkserver).await_forkserver()
    yield forkserver
    forkserver.kill()
    stop_all([forkserver], 60)
    forkserver.close()


@pytest.fixture(scope="module")
def shared_forkserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """One for all tests that leave it alone, as a suite has one for all its processes."""
    with Home(tmp_path_factory.mktemp("forkserver") / "home") as home:
        forkserver = ForkServer(home, os.environ)
        Supervisor([], threading.Event(), forkserver).await_forkserver()
        yield forkserver
        forkserver.kill()
        stop_all([forkserver], 60)
        forkserver.close()


def child_of(launcher: Launcher, home: Home, what: str, name: str = "child") -> Child:
    command = (sys.executable, "-m", "tests.unit.embedded.forked", what)
    return Child(Program(name, command, {**os.environ, "OWN": name}), home, launcher=launcher)


def run(launcher: Launcher, home: Home, what: str) -> tuple[int | None, str]:
    """The exit status of the command, and what it wrote."""
    child = child_of(launcher, home, what)
    child.log.unlink(missing_ok=True)
    child.start()
    status: list[int] = []

    def has_ended() -> bool:
        ended = child.ended()
        status.extend([] if ended is None else [ended])
        return ended is not None

    eventually(has_ended)
    return status[0], child.log.read_text()


def test_what_is_forked_is_as_what_is_executed(shared_forkserver: ForkServer, home: Home) -> None:
    executed, forked = (
        json.loads(run(launcher, home, "itself")[1]) for launcher in (Execute(), shared_forkserver)
    )
    assert forked == executed
    assert forked["parent"] == os.getpid()
    assert forked["threads"] == 1


def test_the_kernel_shows_its_own_command_and_environment(
    shared_forkserver: ForkServer, home: Home
) -> None:
    child = child_of(shared_forkserver, home, "sleep")
    child.start()
    process = psutil.Process(child.pid)
    assert process.cmdline() == [*child.program.command]
    assert process.environ() == {**child.program.environment, "MUSTER_LOG_FILE": str(child.log)}
    stop_all([child], 60)


def test_no_two_have_a_random_state_in_common(shared_forkserver: ForkServer, home: Home) -> None:
    one, other = (json.loads(run(shared_forkserver, home, "chance")[1]) for _ in range(2))
    assert [name for name in one if one[name] == other[name]] == []


@pytest.mark.parametrize("what", ["0", "3", "no such database", "fail", "finish"])
def test_it_ends_as_what_is_executed(what: str, shared_forkserver: ForkServer, home: Home) -> None:
    (executed, wrote), (forked, written) = (
        run(launcher, home, what) for launcher in (Execute(), shared_forkserver)
    )
    assert forked == executed
    # Frames of what runs a module are others.
    assert written.splitlines()[-1:] == wrote.splitlines()[-1:]


def test_a_listener_is_inherited_under_its_number(
    shared_forkserver: ForkServer, home: Home
) -> None:
    with ports.listen(0) as listener:
        command = (sys.executable, "-m", "tests.unit.embedded.forked", "itself")
        program = Program("child", command, os.environ, listener=listener)
        child = Child(program, home, launcher=shared_forkserver)
        child.start()
        eventually(lambda: child.ended() is not None)
        descriptors = json.loads(child.log.read_text())["descriptors"]
        assert descriptors == [0, 1, 2, listener.fileno()]


def launch_two(
    forkserver: ForkServer, home: Home
) -> tuple[Supervisor, list[Child], tuple[int, int]]:
    """The supervisor of two children that sleep, they, and their ids."""
    children = [child_of(forkserver, home, "sleep", name) for name in ("one", "other")]
    supervisor = Supervisor(children, threading.Event(), forkserver)
    supervisor.launch()
    one, other = (child.pid for child in children)
    assert one
    assert other
    return supervisor, children, (one, other)


def test_a_killed_child_is_forked_again_and_no_other_notices(
    forkserver: ForkServer, home: Home
) -> None:
    supervisor, children, (one, other) = launch_two(forkserver, home)
    server = forkserver.pid
    os.kill(one, signal.SIGKILL)
    eventually(lambda: _tends(supervisor, lambda: children[0].pid not in (None, one)))
    assert children[1].pid == other
    assert is_alive(other)
    assert forkserver.pid == server
    supervisor.stop(60)
    assert not any(map(is_alive, filter(None, (one, other, server))))


def _tends(supervisor: Supervisor, condition: Callable[[], bool]) -> bool:
    supervisor.tend()
    return condition()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_fork_server_that_is_lost_is_started_again_and_takes_no_child_along(
    number: signal.Signals, forkserver: ForkServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, children, (one, other) = launch_two(forkserver, home)
    server = forkserver.pid
    # Not before, nor less: on a busy machine one that is well takes longer.
    monkeypatch.setattr("embedded.fork_client._LONGEST_FORK_SECONDS", 5.0)
    assert server
    os.kill(server, number)
    os.kill(one, signal.SIGKILL)
    eventually(lambda: _tends(supervisor, lambda: children[0].pid not in (None, one)))
    assert forkserver.pid != server
    assert children[1].pid == other
    assert is_alive(other)
    supervisor.stop(60)
    assert not is_alive(other)


def test_a_fork_server_that_has_nothing_to_do_rests_until_a_child_is_lost(
    forkserver: ForkServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, children, (one, other) = launch_two(forkserver, home)
    server = forkserver.pid
    assert server
    supervisor.tend()
    assert forkserver.running
    monkeypatch.setattr("embedded.fork_client._REST_SECONDS", 0.0)
    eventually(lambda: _tends(supervisor, lambda: not forkserver.running))
    assert not is_alive(server)
    for _ in range(3):
        supervisor.tend()
    assert not forkserver.running
    assert forkserver.deaths == 0
    os.kill(one, signal.SIGKILL)
    eventually(lambda: _tends(supervisor, lambda: children[0].pid not in (None, one)))
    assert children[1].pid == other
    # And it rests again.
    eventually(lambda: _tends(supervisor, lambda: not forkserver.running))
    supervisor.stop(60)
    assert not is_alive(other)


def test_a_fork_server_with_a_thread_ends_and_says_so(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    forkserver = ForkServer(home, os.environ)
    forkserver.start()
    eventually(lambda: forkserver.ended() is not None)
    forkserver.close()
    assert "2 threads run: none may beside the one that forks" in forkserver.log_tail()


SUPERVISOR = """
import os, sys, threading
from pathlib import Path
from embedded import lifeline
from embedded.child import Child, Program
from embedded.fork_client import ForkServer
from embedded.home import Home
from embedded.supervisor import Supervisor
lifeline.adopt_orphans()
with Home(Path(sys.argv[1])) as home:
    forkserver = ForkServer(home, os.environ)
    command = (sys.executable, "-m", "tests.unit.embedded.forked", "sleep")
    child = Child(Program("child", command, os.environ), home, launcher=forkserver)
    supervisor = Supervisor([child], threading.Event(), forkserver)
    supervisor.await_forkserver()
    supervisor.launch()
    input()
"""


def test_all_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    argv = [sys.executable, "-c", SUPERVISOR, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        eventually((home / "run" / "child.pid").exists)
        pids = [int((home / "run" / f"{name}.pid").read_text()) for name in ("child", "forkserver")]
        assert all(map(is_alive, pids))
        process.kill()
    eventually(lambda: not any(map(is_alive, pids)))
