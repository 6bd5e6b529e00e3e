"""The alert rules, and what docs/operations.md says of them."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]


def rules() -> list[dict[str, Any]]:
    text = (ROOT / "k8s/components/monitoring/alerts.yaml").read_text("utf-8")
    return [rule for group in yaml.safe_load(text)["spec"]["groups"] for rule in group["rules"]]


def test_each_alert_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    explained = re.findall(r"^\| `(Muster\w+)` \|", page, re.MULTILINE)
    assert explained == [rule["alert"] for rule in rules()]
    assert len(set(explained)) == len(explained) > 10


def test_each_alert_says_what_it_means_and_how_urgent_it_is() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_a_summary_names_only_labels_that_the_expression_keeps() -> None:
    for rule in rules():
        kept = re.findall(r"sum by \(([^)]*)\)", rule["expr"])
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            assert not kept or label in kept[0].split(", "), rule["alert"]
