"""What scales by a queue names one that there is; what looks at metrics names those of the code."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from muster.broker import BINDINGS
from tests.k8s.sources import metrics, process_of, texts
from tests.k8s.tree import K8S, Tree
from tools.k8s_check.edges import container_port, selects
from tools.k8s_check.environment import data_of
from tools.k8s_check.manifests import Manifests, labels_of, name_of

# Of others: Prometheus's own, its client's, and https://www.rabbitmq.com/docs/prometheus
OF_OTHERS: dict[str, set[str]] = {
    "up": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "rabbitmq_detailed_queue_messages": {"queue"},
    "rabbitmq_alarms_memory_used_watermark": set(),
    "rabbitmq_alarms_free_disk_space_watermark": set(),
}
# What Prometheus adds to what it reads.
ADDED = {"job", "namespace", "pod", "instance", "service", "container", "endpoint", "le"}
_FUNCTION_OR_WORD = {
    *("sum", "by", "without", "rate", "increase", "histogram_quantile", "absent", "unless", "and"),
    *("or", "max", "min", "avg", "count", "topk", "clamp_min", "label_replace", "on", "ignoring"),
    *(
        "time",
        "max_over_time",
        "min_over_time",
        "avg_over_time",
        "group_left",
        "vector",
        "offset",
        "bool",
    ),
}


@pytest.fixture(scope="module")
def monitored(tree: Tree) -> Manifests:
    return tree.rendered("dev with monitoring")


def test_keda_looks_at_queues_that_there_are(tree: Tree) -> None:
    manifests = tree.rendered("dev with keda")
    triggers = [
        trigger["metadata"]
        for each in manifests.of("ScaledObject")
        for trigger in each["spec"]["triggers"]
    ]
    assert {trigger["queueName"] for trigger in triggers} <= set(BINDINGS.values())
    services = {name_of(each): each["spec"]["ports"] for each in manifests.of("Service")}
    for trigger in triggers:
        url = urlsplit(trigger["host"])
        assert url.hostname is not None
        assert url.port in {port["port"] for port in services[url.hostname.partition(".")[0]]}


def test_keda_scales_what_consumes_the_queue(tree: Tree) -> None:
    for each in tree.rendered("dev with keda").of("ScaledObject"):
        (queue,) = [trigger["metadata"]["queueName"] for trigger in each["spec"]["triggers"]]
        assert each["spec"]["scaleTargetRef"]["name"] == f"{queue}-consumer"


def expressions(manifests: Manifests) -> Iterator[tuple[str, str]]:
    """Each query of an alert, a recording rule or a dashboard, with where it stands."""
    for each in manifests.of("PrometheusRule"):
        for group in each["spec"]["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert", rule.get("record")), rule["expr"]
    for each in manifests.of("ConfigMap"):
        for key, text in data_of(each).items():
            if key.endswith(".json"):
                yield from ((key, expr) for expr in _exprs(json.loads(text)))


def _exprs(part: object) -> Iterator[str]:
    match part:
        case {"expr": str(expr)}:
            yield expr
        case dict():
            for value in part.values():
                yield from _exprs(value)
        case list():
            for value in part:
                yield from _exprs(value)


def unknown(expression: str) -> set[str]:
    """The metrics, and the labels of metrics, that nobody serves."""
    known = {**metrics(), **OF_OTHERS}
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\$\w+|\boffset \w+', "", expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left)\s*\([^)]*\)", "", bare)
    found: set[str] = set()
    for name, labels in re.findall(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?", bare):
        metric = re.sub("_(bucket|sum|count)$", "", name) if name not in known else name
        if metric in _FUNCTION_OR_WORD:
            continue
        if metric not in known:
            found.add(name)
            continue
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))
        found |= {f"{name}{{{label}}}" for label in asked - known[metric] - ADDED}
    return found


def test_every_query_names_metrics_and_labels_that_are_served(monitored: Manifests) -> None:
    queries = list(expressions(monitored))
    assert len(queries) > 20
    wrong = {where: found for where, expr in queries if (found := unknown(expr))}
    assert wrong == {}


def test_every_query_asks_for_values_of_labels_that_there_are(monitored: Manifests) -> None:
    asked = {
        value
        for _, expr in expressions(monitored)
        for values in re.findall(r'\b(?:outcome|phase|route|service|state)!?=~?"([^"]+)"', expr)
        for value in values.split("|")
        # A variable of the dashboard.
        if not value.startswith("$")
    }
    assert {"failed", "put_off"} <= asked
    assert asked <= texts()


def test_every_metric_is_looked_at(monitored: Manifests) -> None:
    text = "\n".join(expr for _, expr in expressions(monitored))
    assert {
        name for name in metrics() if not re.search(rf"\b{name}(_bucket|_sum|_count)?\b", text)
    } == set()


def test_the_dashboard_is_of_the_namespaces_and_services_that_are_chosen(
    monitored: Manifests,
) -> None:
    (dashboard,) = [
        json.loads(text)
        for each in monitored.of("ConfigMap")
        for key, text in data_of(each).items()
        if key == "muster.json"
    ]
    variables = [each["name"] for each in dashboard["templating"]["list"]]
    assert variables == ["datasource", "namespace", "service"]
    series = [
        (name, labels)
        for expr in _exprs(dashboard)
        for name, labels in re.findall(r"\b((?:muster|rabbitmq|process)_\w+)(\{[^}]*\})?", expr)
    ]
    assert len(series) > 30
    assert [name for name, labels in series if 'namespace=~"$namespace"' not in labels] == []


@pytest.mark.parametrize(
    "expression",
    [
        "muster_uploads > 1",
        'muster_uploads_total{status="failed"}',
        "sum(rate(muster_load_duration_seconds_bucket[5m])) by (le)",
        'rabbitmq_queue_messages{queue="x"}',
    ],
)
def test_a_metric_or_label_that_nobody_serves_is_seen(expression: str) -> None:
    assert unknown(expression) != set()


def test_every_alert_leads_to_the_page_that_is_named_once(monitored: Manifests) -> None:
    component = K8S / "components/monitoring"
    (page,) = re.findall(r"- page=(\S+)", (component / "kustomization.yaml").read_text("utf-8"))
    assert page.removeprefix("https://") not in (component / "alerts.yaml").read_text("utf-8")
    (rules,) = monitored.of("PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert len(alerts) > 10
    assert all(rule["annotations"]["runbook_url"] == f"{page}#{rule['alert']}" for rule in alerts)


def test_everything_that_serves_metrics_is_asked_for_them_and_may_be(monitored: Manifests) -> None:
    serving = {
        (each.name, 8080)
        for each in monitored.workloads()
        if process_of(each.containers[0]["image"], [])
    }
    assert asked(monitored) == serving | {("rabbitmq", 15692)}
    assert open_to_prometheus(monitored) == asked(monitored)


def asked(manifests: Manifests) -> set[tuple[str, int]]:
    """The workloads and ports that Prometheus is to read."""
    by_service = {
        (workload.name, container_port(workload, port["targetPort"]))
        for monitor in manifests.of("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
        for service in manifests.of("Service")
        if selects(monitor["spec"]["selector"], labels_of(service))
        for port in service["spec"]["ports"]
        if port["name"] == endpoint["port"]
        for workload in manifests.selected_by(service["spec"]["selector"])
    }
    return by_service | {
        (workload.name, container_port(workload, endpoint["port"]))
        for monitor in manifests.of("PodMonitor")
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
        for workload in manifests.workloads()
        if selects(monitor["spec"]["selector"], workload.labels)
    }


def open_to_prometheus(manifests: Manifests) -> set[tuple[str, int]]:
    """The workloads and ports that the policies let it read."""
    return {
        (workload.name, port["port"])
        for policy in manifests.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if "prometheus" in str(rule["from"])
        for workload in manifests.workloads()
        if selects(policy["spec"]["podSelector"], workload.labels)
        for port in rule["ports"]
    }
