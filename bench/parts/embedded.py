"""The suite on its embedded default: a new one for each run, one file, and both questions.

Beside it, the shell of SQLite imports the same file, where there is one.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.figures import Comparison, Figure, Series, at_most
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.memory import peak_memory
from bench.part import Answer, Plan
from bench.parts.asking import QUESTIONS
from bench.servers import no_servers, running_suite
from bench.sqlite_shell import SHELL, import_hires
from bench.timing import median_seconds
from bench.uploading import load, load_parents

_SMALL = 1000
_REPEATS = 30


@dataclass(frozen=True)
class _Run:
    """Seconds to 202 and to `completed`, peak MiB, and the seconds to each question's answer."""

    accepted: float
    completed: float
    gateway: float
    consumer: float
    questions: tuple[float, ...]


def measure(plan: Plan) -> Answer:
    """Load 1,000 hires and `plan.hires`, each into a new suite, and import the latter."""
    small, large = (f"{hires:,} hires" for hires in (_SMALL, plan.hires))
    imported: list[float] = []

    def load_and_import() -> _Run:
        run = _run(plan, plan.hires)
        if shutil.which(SHELL):
            imported.append(_import(plan))
        return run

    turns: dict[str, Callable[[], _Run]] = {
        small: partial(_run, plan, _SMALL),
        large: load_and_import,
    }
    runs = interleaved(plan.runs, turns)
    figures = [figure for size, found in runs.items() for figure in _figures(size, found)]
    if imported:
        ours = Series("s", tuple(run.completed for run in runs[large]))
        shell = Series("s", tuple(imported))
        title = f"{large}: POST to `completed`, against `{SHELL} .import`"
        figures.append(Figure(title, ours, shell, Comparison.RATIO, at_most(0.9)))
    return Answer(
        "The embedded default",
        tuple(figures),
        (
            "No server: SQLite in WAL mode with `synchronous=FULL`, files and a maildir.",
            "A service's peak RSS is that of its processes added up.",
            "`sqlite3 .import` reads the same file into tables of the same make, with "
            "`synchronous=FULL`; it checks nothing, and by default no foreign keys.",
            f"A question's time in a run is the median of {_REPEATS}.",
        ),
    )


def _run(plan: Plan, hires: int) -> _Run:
    # What the run before wrote is no longer in the way.
    home = plan.directory / f"home-{hires}-{time.monotonic_ns()}"
    path = plan.directory / f"{hires}.csv"
    if not path.exists():
        write_hires(path, hires)
    with no_servers(home) as family, running_suite(family) as (suite, client):
        load_parents(client, plan.samples)
        loaded = load(client, path, inserted=hires)
        return _Run(
            loaded.accepted,
            loaded.final,
            peak_memory(suite.pid("gateway")),
            peak_memory(suite.pid("dbuploader-consumer")),
            tuple(
                median_seconds(_REPEATS, partial(client.query, question, 2021))
                for question in QUESTIONS
            ),
        )


def _import(plan: Plan) -> float:
    home = plan.directory / f"import-{time.monotonic_ns()}"
    home.mkdir()
    return import_hires(home / "employment.db", plan.samples, plan.directory / f"{plan.hires}.csv")


def _figures(size: str, runs: list[_Run]) -> list[Figure]:
    columns = {
        "POST to 202": Series("s", tuple(run.accepted for run in runs)),
        "POST to `completed`": Series("s", tuple(run.completed for run in runs)),
        "gateway, peak RSS": Series("MiB", tuple(run.gateway for run in runs)),
        "dbuploader's consumer, peak RSS": Series("MiB", tuple(run.consumer for run in runs)),
        **{
            f"{question}, median": Series("ms", tuple(run.questions[at] * 1000 for run in runs))
            for at, question in enumerate(QUESTIONS)
        },
    }
    return [Figure(f"{size}: {title}", series) for title, series in columns.items()]
