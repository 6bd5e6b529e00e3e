"""Somebody else's requests while a server is attacked: how long each takes, and its memory."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import requests

_PAUSE_SECONDS = 0.1
_TIMEOUT = 60.0
MEBIBYTE = 1024 * 1024


@dataclass
class Figures:
    """The slowest answer to each path in seconds, what failed, and the growth in bytes."""

    slowest: dict[str, float] = field(default_factory=dict)
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    before: int = 0
    most: int = 0

    @property
    def growth(self) -> int:
        """How much larger the server was at most than before."""
        return self.most - self.before


@contextmanager
def watching(url: str, headers: Mapping[str, str], paths: list[str], pid: int) -> Iterator[Figures]:
    """Ask for `paths` all the time, each on a connection of its own, and look at process `pid`."""
    figures, stop = Figures(before=size_of(pid)), threading.Event()

    def ask() -> None:
        while not stop.wait(_PAUSE_SECONDS):
            figures.most = max(figures.most, size_of(pid))
            for path in paths:
                began = time.monotonic()
                problem = _failure(f"{url}{path}", headers)
                seconds = time.monotonic() - began
                figures.asked += 1
                figures.slowest[path] = max(figures.slowest.get(path, 0.0), seconds)
                if problem is not None:
                    figures.failures.append(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield figures
    finally:
        stop.set()
        thread.join()


def _failure(url: str, headers: Mapping[str, str]) -> str | None:
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers=headers, timeout=_TIMEOUT)
    except requests.RequestException as error:
        return repr(error)
    return None if answer.ok else f"{url}: {answer.status_code}"


def size_of(pid: int) -> int:
    """The resident memory of a process and of all below it, in bytes."""
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
