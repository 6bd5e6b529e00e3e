"""The alert rules, and what docs/operations.md says of them."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbuploader.metrics import QUEUE_WAIT_SECONDS
from muster.http.service import SECONDS
from tools.alerts_check import ALERTS, TESTS, check_alerts

ROOT = Path(__file__).parents[3]
HISTOGRAMS = {
    "muster_queue_wait_seconds": QUEUE_WAIT_SECONDS,
    "muster_http_request_duration_seconds": SECONDS,
}


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for group in yaml.safe_load(ALERTS.read_text("utf-8"))["spec"]["groups"]
        for rule in group["rules"]
    ]


def test_each_alert_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    explained = re.findall(r"^\| <a id=.*></a>`(Muster\w+)` \|", page, re.MULTILINE)
    assert explained == [rule["alert"] for rule in rules()]
    assert len(set(explained)) == len(explained) > 10


def test_each_alert_says_what_it_means_and_how_urgent_it_is() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_each_alert_leads_to_its_row_of_the_page() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    places = re.findall(r'<a id="(\w+)"></a>`(\w+)`', page)
    assert {anchor for anchor, _ in places} == {rule["alert"] for rule in rules()}
    assert all(anchor == alert for anchor, alert in places)
    for rule in rules():
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert']}"


def test_a_summary_names_only_labels_that_the_expression_keeps() -> None:
    for rule in rules():
        kept = re.findall(r"sum by \(([^)]*)\)", rule["expr"])
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            assert not kept or label in kept[0].split(", "), rule["alert"]


def test_a_quantile_is_compared_with_a_bound_of_a_bucket() -> None:
    # Between two bounds it is a guess: one wait of 6 minutes would count as one of 28.
    compared = {
        found[1]: found[2]
        for rule in rules()
        if (found := re.search(r"rate\(\s*(muster_\w+)_bucket.* > ([\d.]+)$", rule["expr"]))
    }
    SECONDS.labels("queries", "/of-a-test")
    bounds = {
        metric: {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels}
        for metric, histogram in HISTOGRAMS.items()
        for family in histogram.collect()
    }
    SECONDS.remove("queries", "/of-a-test")
    assert compared.keys() == bounds.keys()
    assert all(float(threshold) in bounds[metric] for metric, threshold in compared.items())


def test_each_alert_is_fired_once_by_its_cause() -> None:
    text = TESTS.read_text("utf-8")
    fired = set(re.findall(r'labels:.*alertname="(\w+)"', text))
    assert fired == {rule["alert"] for rule in rules()}


# The build server has it, in a job of its own.
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_prometheus_takes_the_rules_and_fires_them() -> None:
    done = check_alerts("promtool")
    assert done.returncode == 0, done.stdout
