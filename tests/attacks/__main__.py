"""`python -m tests.attacks`: attack a suite of its own, and print what others noticed of it."""

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.attacks.slow_clients import Kind, attacking, kinds
from tests.attacks.watch import MEBIBYTE, Figures, watching

PATHS = ["/healthz", "/v1/queries/years"]
SLOW_CLIENTS = 70
IDLE_CLIENTS = 2000
PAUSE_SECONDS = 5.0
FORM_BYTES = 40 * MEBIBYTE
MOST_SECONDS = 1.0
MOST_GROWTH = 64 * MEBIBYTE

Attack = AbstractContextManager[object]


def main() -> int:
    """Run the attacks; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=45, help="how long each attack lasts")
    parser.add_argument("--only", default="", help="those whose names have this in them")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        SuiteProcess(Path(directory) / "home") as suite,
    ):
        return run(suite, options.seconds, options.only)


def run(suite: SuiteProcess, seconds: float, only: str = "") -> int:
    """Attack the gateway of `suite`, each attack for so long; returns how many others noticed."""
    admin = Client(suite.url, "admin@example.com", suite.admin_password())
    headers = {"Authorization": str(admin.session.headers["Authorization"])}
    watch = partial(watching, suite.url, headers, PATHS, suite.pid("gateway"))
    print(f"{'attack':34}{'asked':>7}" + "".join(f"{path:>22}" for path in PATHS) + f"{'MiB':>8}")
    noticed = 0
    for name, attack in attacks(suite.url, headers).items():
        if only in name:
            with watch() as figures, attack():
                threading.Event().wait(seconds)
            noticed += show(name, figures)
    return noticed


def show(name: str, figures: Figures) -> bool:
    """Print the figures; returns whether they are too bad."""
    slowest = "".join(f"{figures.slowest[path]:>20.3f} s" for path in PATHS)
    growth = f"{figures.growth / MEBIBYTE:>+8.1f}"
    is_bad = (
        bool(figures.failures)
        or max(figures.slowest.values()) > MOST_SECONDS
        or figures.growth > MOST_GROWTH
    )
    failures = (
        f"  {len(figures.failures)} failed: {figures.failures[0]}" if figures.failures else ""
    )
    print(f"{name:34}{figures.asked:>7}{slowest}{growth}{'  !' if is_bad else ''}{failures}")
    sys.stdout.flush()
    return is_bad


def attacks(url: str, headers: Mapping[str, str]) -> dict[str, Callable[[], Attack]]:
    """What is done to the gateway at `url`, by name."""
    token = headers["Authorization"].partition(" ")[2]
    slow = {
        f"{SLOW_CLIENTS} x {name}": partial(attacking, url, kind, SLOW_CLIENTS, PAUSE_SECONDS)
        for name, kind in kinds(token).items()
    }
    kept = Kind(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", drip=b"")
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    fields = b"a&" * (FORM_BYTES // 2)
    cells = b"c1-1=x&" * (12 * MEBIBYTE // 7)
    post = partial(posting, url)
    return {
        "nothing at all": lambda: posting(url, "", b"", {}, 0),
        f"{IDLE_CLIENTS} idle connections": partial(
            attacking, url, Kind(b"", drip=b""), IDLE_CLIENTS, PAUSE_SECONDS
        ),
        f"{IDLE_CLIENTS} kept connections": partial(
            attacking, url, kept, IDLE_CLIENTS, PAUSE_SECONDS
        ),
        **slow,
        "4 x form of 40 MiB": lambda: post("/login", fields, urlencoded, 4),
        "4 x form of 40 MiB, chunked": lambda: post("/login", _pieces(fields), urlencoded, 4),
        "4 x form with a file of 40 MiB": lambda: post(
            "/login", part + b"x" * FORM_BYTES, multipart, 4
        ),
        "4 x 12 MiB of corrected rows": lambda: post(
            "/uploads/0/corrections", cells, {**urlencoded, **headers, "Sec-Fetch-Site": "none"}, 4
        ),
    }


class _pieces:  # noqa: N801 - a body that can be sent again
    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), MEBIBYTE):
            yield self._data[start : start + MEBIBYTE]


@contextmanager
def posting(
    url: str, path: str, body: bytes | _pieces, headers: Mapping[str, str], clients: int
) -> Iterator[None]:
    """So many clients that send `body` again and again."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.5):
            try:
                # An iterable goes in chunks.
                data = iter(body) if isinstance(body, _pieces) else body
                requests.post(
                    f"{url}{path}", data=data, headers=headers, timeout=60, allow_redirects=False
                )
            except requests.RequestException:
                continue

    with ThreadPoolExecutor(max(1, clients)) as pool:
        for _ in range(clients):
            pool.submit(send)
        try:
            yield
        finally:
            stop.set()


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
