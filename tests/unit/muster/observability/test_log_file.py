"""The log of a process under `make run`: of bounded size, and without a gap."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.waiting import DEADLINE_SECONDS, eventually

LINES = 400
# Two processes that share the file, as gunicorn's do, each with two threads.
WRITERS = f"""
import os, sys, threading
import structlog
from muster.observability.logs import configure_logging

child = os.fork()
name = "child" if child == 0 else "parent"
configure_logging("test", "INFO")
log = structlog.get_logger("lines")

def write(thread):
    for number in range({LINES}):
        log.info("line", writer=f"{{name}}-{{thread}}", number=number)

threads = [threading.Thread(target=write, args=(thread,)) for thread in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("by the way", flush=True)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
ENDLESS = """
import structlog
from muster.observability.logs import configure_logging

configure_logging("test", "INFO")
log, number = structlog.get_logger("lines"), 0
while True:
    log.info("line", number=number)
    number += 1
"""


def start(code: str, log: Path, files: int) -> subprocess.Popen[bytes]:
    told = {"MUSTER_LOG_FILE": log, "MUSTER_LOG_BYTES": 20_000, "MUSTER_LOG_FILES": files}
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
    with log.open("ab") as opened:
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=opened, stderr=opened
        )


def in_order(log: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    numbered = sorted(log.parent.glob(f"{log.name}.*"), key=lambda file: -int(file.suffix[1:]))
    return [*numbered, log]


def lines_of(files: list[Path]) -> list[str]:
    return [line for file in files for line in file.read_text().splitlines()]


def test_no_line_is_lost_when_those_who_write_a_log_rotate_it(tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    process = start(WRITERS, log, 1000)
    assert process.wait(DEADLINE_SECONDS) == 0, log.read_text()
    files = in_order(log)
    assert len(files) > 5
    written = lines_of(files)
    assert written.count("by the way") == 2
    found = [json.loads(line) for line in written if line != "by the way"]
    for writer in ("child-a", "child-b", "parent-a", "parent-b"):
        numbers = sorted(line["number"] for line in found if line["writer"] == writer)
        assert numbers == list(range(LINES))
    # A line more than the limit from each that did not look yet.
    assert max(file.stat().st_size for file in files) < 25_000


def test_a_log_has_so_many_files_and_no_more(tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    assert start(WRITERS, log, 3).wait(DEADLINE_SECONDS) == 0
    assert [file.name for file in in_order(log)] == ["test.log.2", "test.log.1", "test.log"]
    assert log.stat().st_mode & 0o077 == 0


def test_a_kill_at_any_point_leaves_every_line_that_was_written(tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    process = start(ENDLESS, log, 1000)
    try:
        eventually(lambda: (tmp_path / "test.log.3").exists())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    whole = [line for line in lines_of(in_order(log)) if line.endswith("}")]
    numbers = [json.loads(line)["number"] for line in whole]
    assert numbers == list(range(len(numbers)))
