"""What the loader counts and measures, for Prometheus."""

from dataclasses import asdict

from prometheus_client import Counter, Histogram

from muster.uploads import Upload

ROWS = Counter("muster_rows_total", "Rows by what became of them.", ("table", "outcome"))
UPLOADS = Counter("muster_uploads_total", "Uploads by their final state.", ("table", "state"))
LOAD_SECONDS = Histogram(
    "muster_load_seconds",
    "Seconds that a phase of a load took.",
    ("table", "phase"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
)
QUEUE_WAIT_SECONDS = Histogram(
    "muster_queue_wait_seconds",
    "Seconds from the acceptance of an upload to the start of its load.",
    buckets=(0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200),
)


def count_finished(upload: Upload) -> None:
    """Count an upload that has just become final, and its rows."""
    UPLOADS.labels(upload.table, upload.state.value).inc()
    for outcome, rows in asdict(upload.rows).items():
        if outcome != "read":
            ROWS.labels(upload.table, outcome).inc(rows)
    if upload.started_at is not None:
        QUEUE_WAIT_SECONDS.observe((upload.started_at - upload.submitted_at).total_seconds())
