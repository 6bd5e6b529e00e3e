"""`python -m bench [HIRES]`: measures a small and a large load and writes bench/RESULTS.md."""

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.measuring import QUESTIONS, Measurement, measure

ROOT = Path(__file__).parents[1]
SMALL = 1000
_MIB = 1024 * 1024

_LINES: dict[str, Callable[[Measurement], str]] = {
    "file, MiB": lambda run: f"{run.file_bytes / _MIB:.2f}",
    "POST to 202, s": lambda run: f"{run.accepted:.2f}",
    "POST to completed, s": lambda run: f"{run.completed:.2f}",
    "rows a second": lambda run: f"{run.hires / run.completed:,.0f}",
    "gateway, peak RSS, MiB": lambda run: f"{run.gateway_memory / _MIB:.1f}",
    "dbuploader consumer, peak RSS, MiB": lambda run: f"{run.loader_memory / _MIB:.1f}",
}


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("hires", type=int, nargs="?", default=1_000_000)
    hires = parser.parse_args().hires
    results = as_markdown([measure(size, ROOT / "samples") for size in (SMALL, hires)])
    print(results)
    (ROOT / "bench" / "RESULTS.md").write_text(results, encoding="utf-8")


def as_markdown(runs: Sequence[Measurement]) -> str:
    """The measurements as a page: a column for each run."""
    rows = [["hires", *(f"{run.hires:,}" for run in runs)], ["---", *("--:" for _ in runs)]]
    rows += [[title, *(cell(run) for run in runs)] for title, cell in _LINES.items()]
    rows += [
        [f"{question}, median, ms", *(f"{run.queries[question] * 1000:.1f}" for run in runs)]
        for question in QUESTIONS
    ]
    return "\n".join(
        [
            "# Measurements",
            "",
            "The suite on one machine with its embedded default, written by `make bench`: "
            f"{_machine()}, {datetime.now(UTC):%Y-%m-%d}.",
            "",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
    )


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
