"""One run: a new suite, one file of hires, and what it took."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.hires import write_hires
from embedded.client import Client
from embedded.running import RunningSuite

ADMIN = "admin@example.com"
QUESTIONS = ("hires-by-quarter", "departments-above-mean")
_REPEATS = 30
_LOAD_SECONDS = 3600


@dataclass(frozen=True)
class Measurement:
    """What loading `hires` rows took. Times in seconds, memory in bytes at its peak."""

    hires: int
    file_bytes: int
    accepted: float
    completed: float
    gateway_memory: int
    loader_memory: int
    queries: dict[str, float]


def measure(hires: int, samples: Path) -> Measurement:
    """Start a suite, load the samples' departments and jobs and `hires` hires, ask both questions.

    Raises RuntimeError when not every row was loaded.
    """
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as directory:
        path = Path(directory) / "hired_employees.csv"
        write_hires(path, hires)
        with (
            RunningSuite(Path(directory) / "home", {"MUSTER_ADMIN_EMAIL": ADMIN}) as suite,
            Client(suite.url, ADMIN, suite.admin_password()) as client,
        ):
            for parent in ("departments.csv", "jobs.csv"):
                client.wait(client.upload(parent, samples / parent)["id"])
            return _measure_load(suite, client, path, hires)


def _measure_load(suite: RunningSuite, client: Client, path: Path, hires: int) -> Measurement:
    began = time.monotonic()
    upload = client.upload(path.name, path)
    accepted = time.monotonic() - began
    upload = client.wait(upload["id"], _LOAD_SECONDS)
    completed = time.monotonic() - began
    if upload["rows"]["inserted"] != hires:
        raise RuntimeError(f"not every row was loaded: {upload}")
    return Measurement(
        hires,
        path.stat().st_size,
        accepted,
        completed,
        peak_memory(suite.pid("gateway")),
        peak_memory(suite.pid("dbuploader-consumer")),
        {question: _time_of(question, client) for question in QUESTIONS},
    )


def _time_of(question: str, client: Client) -> float:
    """The median time to an answer."""
    times = []
    for _ in range(_REPEATS):
        began = time.monotonic()
        client.query(question, 2021)
        times.append(time.monotonic() - began)
    return statistics.median(times)


def peak_memory(pid: int) -> int:
    """The greatest resident set of a process or of one of its children so far, by Linux's count."""
    process = psutil.Process(pid)
    pids = [pid, *(child.pid for child in process.children(recursive=True))]
    return max(_high_water_mark(Path(f"/proc/{each}/status")) for each in pids)


def _high_water_mark(status: Path) -> int:
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024
