"""A process that stands still for a while."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.e2e.waiting import wait_until


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile, and keeps nobody from writing to a SQLite file."""
    process = psutil.Process(pid)
    _suspend(process)
    while _is_writing(pid):
        process.resume()
        time.sleep(0.01)
        _suspend(process)
    try:
        yield
    finally:
        process.resume()


def _suspend(process: psutil.Process) -> None:
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)


def _is_writing(pid: int) -> bool:
    # SQLite's locks are POSIX locks, for which others wait: https://man7.org/linux/man-pages/man5/proc_locks.5.html
    locks = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(lock[1] == "POSIX" and lock[3:5] == ["WRITE", str(pid)] for lock in locks)
