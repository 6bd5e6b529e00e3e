"""What the loader counts and measures, for Prometheus: see docs/metrics.md."""

from collections.abc import Mapping
from dataclasses import asdict

from prometheus_client import Counter, Histogram

from muster.contracts.tables import tables
from muster.contracts.uploads import UNFINISHED, State, Upload

OUTCOMES = ("inserted", "updated", "unchanged", "rejected", "unprocessed")
ROWS = Counter("muster_rows_total", "Rows by what became of them.", ("table", "outcome"))
UPLOADS = Counter("muster_uploads_total", "Uploads by their final state.", ("table", "state"))
ATTEMPTS = Counter("muster_load_attempts_total", "Loads begun, also again.", ("table",))
LOAD_SECONDS = Histogram(
    "muster_load_seconds",
    "Seconds that a phase of a load took.",
    ("table", "phase"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
)
QUEUE_WAIT_SECONDS = Histogram(
    "muster_queue_wait_seconds",
    "Seconds from the acceptance of an upload to the start of its load.",
    buckets=(0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 7200),
)
# From 0: a rate over a series that begins at its first event misses that event.
for _table in tables():
    ATTEMPTS.labels(_table)
    for _state in set(State) - UNFINISHED:
        UPLOADS.labels(_table, _state.value)
    for _outcome in OUTCOMES:
        ROWS.labels(_table, _outcome)


def count_rows(table: str, counts: Mapping[str, int]) -> None:
    """Count rows by outcome, once it is final."""
    for outcome in OUTCOMES:
        ROWS.labels(table, outcome).inc(counts.get(outcome, 0))


def count_finished(upload: Upload) -> None:
    """Count an upload that has just become final, and its rows, unless it was a dry run."""
    UPLOADS.labels(upload.table, upload.state.value).inc()
    if upload.state is not State.VALIDATED:
        count_rows(upload.table, asdict(upload.rows))
    if upload.started_at is not None:
        QUEUE_WAIT_SECONDS.observe((upload.started_at - upload.submitted_at).total_seconds())
