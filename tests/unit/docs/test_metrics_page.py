"""The table of metrics says what the registries say."""

from importlib import import_module
from typing import Any

from prometheus_client import REGISTRY

from tests.unit.docs.metricspage import family_of, rows

PROCESSES = (
    *("gateway.app", "gateway.relay", "auth.app", "queries.app", "dbuploader.app"),
    *("dbuploader.consumer", "dbuploader.metrics"),
    *("notification.app", "notification.consumer", "notification.webhooks"),
)


def registered() -> dict[str, Any]:
    """By its name, every metric of our own that some process has."""
    for process in PROCESSES:
        import_module(process)
    collectors = list(REGISTRY._collector_to_names)
    return {
        metric.name: (metric.type, collector)
        for collector in collectors
        for metric in getattr(collector, "describe", list)()
        if metric.name.startswith("muster_")
    }


def test_the_page_has_every_metric_with_its_type_and_labels() -> None:
    page = {family_of(row.name, row.kind): (row.kind, row.labels) for row in rows()}
    assert page == {
        name: (kind, collector._labelnames) for name, (kind, collector) in registered().items()
    }


def test_names_follow_the_conventions() -> None:
    for row in rows():
        # https://prometheus.io/docs/practices/naming/
        unit = row.name.removesuffix("_total").rpartition("_")[2]
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert row.kind == "counter" or unit in {
            "bytes",
            "seconds",
            "uploads",
            "emails",
            "webhooks",
            "records",
            "letters",
            "up",
        }


def test_series_with_known_labels_begin_at_0() -> None:
    known = {"table", "outcome", "state"}
    for row in rows():
        if row.labels and known.issuperset(row.labels) and row.kind == "counter":
            _, collector = registered()[family_of(row.name, row.kind)]
            assert len(next(iter(collector.collect())).samples) >= 3
