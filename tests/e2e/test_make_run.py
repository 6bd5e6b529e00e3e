import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded import lifeline
from tests.e2e.conftest import ON_EMBEDDED, ON_SERVERS
from tests.e2e.families import Family
from tests.e2e.waiting import wait_until
from tests.unit.embedded.supervising import is_alive

ROOT = Path(__file__).parents[2]
READY = re.compile(r"muster is ready at http://127\.0\.0\.1:\d+\n")


class MakeRun:
    """`make run` as a user starts it, in a process group as of a terminal."""

    def __init__(self, family: Family) -> None:
        self.home = family.home
        self.errors = self.home.with_name("stderr")
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                # Nothing is left running when the tests themselves are killed.
                lifeline.command(signal.SIGKILL, ["make", "run"]),
                cwd=ROOT,
                env={
                    **_outside_make(),
                    **family.environment,
                    "MUSTER_HOME": str(self.home),
                    "MUSTER_PORT": "0",
                    # A busy machine may need so long.
                    "MUSTER_START_SECONDS": "300",
                    "MUSTER_STOP_SECONDS": "60",
                },
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
            )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.started = [child.pid for child in psutil.Process(self.process.pid).children(True)]

    def rest_of_output(self) -> str:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            return output.read()

    def assert_all_ended(self) -> None:
        wait_until(lambda: not any(map(is_alive, self.started)))


def _outside_make() -> dict[str, str]:
    # A make below `make test` would announce its directory on standard output.
    inherited = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}
    return {name: value for name, value in os.environ.items() if name not in inherited}


@pytest.fixture
def make_run(family: Family) -> Iterator[MakeRun]:
    running = MakeRun(family)
    try:
        assert READY.fullmatch(running.first_line), running.errors.read_text()
        # The supervisor, the fork server, five services and four workers.
        assert len(running.started) >= 11
        yield running
    finally:
        for pid in (running.process.pid, *running.started):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        running.process.wait()


EMBEDDED = pytest.mark.parametrize("family", [ON_EMBEDDED], indirect=True)


@pytest.mark.parametrize("family", [ON_SERVERS], indirect=True)
def test_sigterm_to_make_stops_everything(make_run: MakeRun) -> None:
    make_run.process.terminate()
    rest = make_run.rest_of_output()
    make_run.process.wait(120)
    make_run.assert_all_ended()
    assert rest == ""


@EMBEDDED
def test_ctrl_c_stops_everything_and_no_secret_was_printed(make_run: MakeRun) -> None:
    os.killpg(make_run.process.pid, signal.SIGINT)
    rest = make_run.rest_of_output()
    make_run.process.wait(120)
    make_run.assert_all_ended()
    password = (make_run.home / "admin-password").read_text().strip()
    said = rest + make_run.first_line + make_run.errors.read_text()
    assert str(make_run.home / "admin-password") in said
    assert "Starting 9 processes …" in said
    assert "\n  to stop     kill " in said
    assert "\nStopping: " in said
    assert "\nStopped.\n" in said
    logs = "".join(log.read_text() for log in (make_run.home / "log").iterdir())
    assert password not in said + logs


@EMBEDDED
def test_no_process_is_left_when_make_is_killed(make_run: MakeRun) -> None:
    make_run.process.kill()
    make_run.rest_of_output()
    make_run.assert_all_ended()
