"""A log that can't be written costs its lines, which are counted, and nothing else."""

import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from muster.http.service import Health, install_service
from muster.observability.log_file import DROPPED
from muster.observability.logs import configure_logging, console_handler
from tests.waiting import DEADLINE_SECONDS

LOGGING = """
import logging, os, resource, sys
import structlog
from muster.observability.log_file import DROPPED
from muster.observability.logs import configure_logging

configure_logging("test", "INFO")
log = structlog.get_logger("lines")
"""


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", LOGGING + code],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        **options,
    )


@contextmanager
def full_stderr() -> Iterator[None]:
    """Whatever is written to standard error in the block meets a full disk."""
    kept = os.dup(2)
    try:
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def dropped() -> float:
    value: float = DROPPED._value.get()
    return value


def test_no_request_fails_for_its_log_line() -> None:
    configure_logging("test", "INFO")
    app = Flask("test")
    install_service(app, "test", Health())
    app.add_url_rule("/broken", view_func=lambda: str(1 / 0), endpoint="broken")
    app.add_url_rule("/things", view_func=lambda: "things", endpoint="things")
    before = dropped()
    with full_stderr():
        assert app.test_client().get("/things").status_code == 200
        assert dropped() == before + 1
        # Its traceback and its line.
        assert app.test_client().get("/broken").status_code == 500
        assert dropped() == before + 3


def test_the_standard_librarys_lines_are_dropped_and_counted_too() -> None:
    configure_logging("test", "INFO")
    before = dropped()
    with full_stderr():
        logging.getLogger("of a library").error("lost")
        console_handler().emit(logging.makeLogRecord({"msg": "lost"}))
    assert dropped() == before + 2


def test_a_process_ends_well_though_none_of_its_lines_could_be_written() -> None:
    code = """
for number in range(1000):
    log.info("line", number=number)
    logging.getLogger("library").warning("line")
print(int(DROPPED._value.get()))
"""
    with Path("/dev/full").open("wb") as full:
        ended = run(code, stderr=full)
    assert (ended.returncode, ended.stdout) == (0, "2000\n")


def test_no_file_becomes_the_log_where_standard_error_is_closed(tmp_path: Path) -> None:
    code = f"""
with open({str(tmp_path / "data")!r}, "wb") as file:
    for number in range(100):
        log.info("line", number=number)
print("served")
"""
    ended = run(code, preexec_fn=lambda: os.close(2))
    assert (ended.returncode, ended.stdout) == (0, "served\n")
    assert (tmp_path / "data").read_bytes() == b""


def test_a_line_that_was_cut_off_spoils_none_after_it(tmp_path: Path) -> None:
    code = """
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for size in (5_000, 10_000, hard):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    for number in range(100):
        log.info("line", number=number)
print(int(DROPPED._value.get()))
"""
    with (tmp_path / "log").open("ab") as log:
        ended = run(code, stderr=log)
    lines = (tmp_path / "log").read_text().splitlines()
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    assert len(lines) - len(whole) == 2
    assert len(whole) + int(ended.stdout) == 300
    assert [line["number"] for line in whole[-100:]] == list(range(100))


def test_nobody_waits_long_for_a_reader_that_has_stopped() -> None:
    code = """
for number in range(5_000):
    log.info("line", number=number)
print(int(DROPPED._value.get()), flush=True)
input()
log.info("again")
"""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", LOGGING + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
    ) as process:
        os.close(writing)
        assert process.stdin is not None
        assert process.stdout is not None
        # It comes to this though nobody reads.
        assert select.select([process.stdout], [], [], DEADLINE_SECONDS)[0]
        lost = int(process.stdout.readline())
        with open(reading, "rb") as reader:  # noqa: PTH123 - no path
            read: list[bytes] = []
            thread = threading.Thread(target=lambda: read.extend(reader))
            thread.start()
            # Once what was in the pipe is read.
            while len(read) < 5_000 - lost:
                assert thread.is_alive()
            process.communicate("\n")
            thread.join(DEADLINE_SECONDS)
    assert lost > 1_000
    assert len(read) == 5_000 - lost + 1
    assert json.loads(read[-1])["event"] == "again"


def test_a_log_that_could_not_be_opened_is_as_soon_as_it_can(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "test.log"
    code = f"""
import os, time
log.info("lost")
os.mkdir({str(path.parent)!r})
while not os.path.exists({str(path)!r}):
    log.info("found")
"""
    environment = {**os.environ, "MUSTER_LOG_FILE": str(path)}
    ended = run(code, stderr=subprocess.DEVNULL, env=environment)
    assert ended.returncode == 0
    assert json.loads(path.read_text())["event"] == "found"
