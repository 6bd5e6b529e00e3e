"""The suite on its embedded default: a new one for each run, one file, and both questions."""

import time
from dataclasses import dataclass
from functools import partial

from bench.figures import Figure, Series
from bench.hires import write_hires
from bench.interleaving import interleaved
from bench.memory import peak_memory
from bench.part import Answer, Plan
from bench.parts.asking import QUESTIONS
from bench.timing import median_seconds
from bench.uploading import load, load_parents
from embedded.client import Client
from embedded.suite_process import SuiteProcess

_ADMIN = "admin@example.com"
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
    """Load 1,000 hires and `plan.hires`, each into a new suite."""
    runs = interleaved(
        plan.runs,
        {f"{hires:,} hires": partial(_run, plan, hires) for hires in (_SMALL, plan.hires)},
    )
    return Answer(
        "The embedded default",
        tuple(figure for size, found in runs.items() for figure in _figures(size, found)),
        (
            "No server: SQLite in WAL mode with `synchronous=FULL`, files and a maildir.",
            "A service's peak RSS is that of its processes added up.",
            f"A question's time in a run is the median of {_REPEATS}.",
        ),
    )


def _run(plan: Plan, hires: int) -> _Run:
    # What the run before wrote is no longer in the way.
    home = plan.directory / f"home-{hires}-{time.monotonic_ns()}"
    path = plan.directory / f"{hires}.csv"
    if not path.exists():
        write_hires(path, hires)
    with (
        SuiteProcess(home, {"MUSTER_ADMIN_EMAIL": _ADMIN}) as suite,
        Client(suite.url, _ADMIN, suite.admin_password()) as client,
    ):
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
