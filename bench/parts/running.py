"""The embedded default as a user starts it again: how long until it is ready, and what it takes."""

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.figures import Figure, Series, at_most
from bench.interleaving import interleaved
from bench.memory import processes_of, shared_memory
from bench.part import Answer, Plan
from bench.servers import ADMIN
from embedded.suite_process import SuiteProcess

# What forks the processes rests by then.
_SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class _Run:
    """Seconds until ready and until gone, MiB at idle, and how many processes."""

    start: float
    stop: float
    memory: float
    processes: int


def measure(plan: Plan) -> Answer:
    """Start the suite on a directory that has been used, let it stand, and stop it."""
    home = plan.directory / "home"
    # The bench has pandas for a peer, whoever runs Muster need not: pyarrow imports it if it can.
    (plan.directory / "pandas.py").write_text("raise ImportError\n")
    with _suite(home):
        pass
    runs = interleaved(plan.runs, {"suite": partial(_run, home)})["suite"]
    start, stop, memory = (
        Series(unit, tuple(getattr(run, name) for run in runs))
        for name, unit in (("start", "s"), ("stop", "s"), ("memory", "MiB"))
    )
    figures = (
        Figure("start, until ready", start, target=at_most(3)),
        Figure("SIGTERM, until gone", stop, target=at_most(1)),
        Figure(f"memory at idle, {runs[0].processes} processes", memory, target=at_most(400)),
    )
    return Answer("The embedded default, started again", figures, _CONDITIONS)


_CONDITIONS = (
    "Memory is the proportional set (PSS): what several processes share is counted once.",
    "Without pandas, which Muster does not need.",
    f"Idle is {_SETTLE_SECONDS:.0f} s after it was ready.",
)


def _run(home: Path) -> _Run:
    began = time.monotonic()
    with _suite(home) as suite:
        start = time.monotonic() - began
        time.sleep(_SETTLE_SECONDS)
        processes = processes_of(suite.supervisor_pid)
        memory = shared_memory(processes)
        began = time.monotonic()
        suite.stop()
        return _Run(start, time.monotonic() - began, memory, len(processes))


def _suite(home: Path) -> SuiteProcess:
    paths = f"{home.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return SuiteProcess(home, {"MUSTER_ADMIN_EMAIL": ADMIN, "PYTHONPATH": paths})
