"""Every setting, route, metric and error code of the code stands in the docs, and no other."""

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from flask import Flask

import muster_client
from muster.contracts.error_codes import ROW_ERRORS, UPLOAD_ERRORS, FailureCode, RowErrorCode
from muster.contracts.problems import PROBLEM_TYPES, ProblemKind
from muster.settings import variables_of
from muster_client import MusterClient
from tools.error_page import with_tables

ROOT = Path(__file__).parents[3]
SERVICES = ("gateway", "auth", "dbuploader", "notification", "queries")
PACKAGES = (*SERVICES, "embedded", "muster")


def source() -> str:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return "\n".join(file.read_text("utf-8") for file in files)


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def first_column(page: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", read(page), re.MULTILINE))


def settings_in_code() -> set[str]:
    classes = [
        *(import_module(f"{service}.settings").Settings for service in SERVICES),
        import_module("embedded.settings").EmbeddedSettings,
        import_module("muster.http.settings").ServerSettings,
        import_module("muster.observability.log_file").LogFileSettings,
    ]
    fields = set().union(*map(variables_of, classes))
    return fields | set(re.findall(r"\bMUSTER_[A-Z]+(?:_[A-Z]+)*\b", source()))


def test_every_setting_stands_in_the_configuration_page_and_no_other() -> None:
    assert len(settings_in_code()) > 20
    assert first_column("docs/configuration.md") == settings_in_code()


def test_every_metric_stands_in_the_metrics_page_and_no_other() -> None:
    metrics = set(re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(muster_[a-z_]+)"', source()))
    assert len(metrics) > 10
    assert first_column("docs/metrics.md") == metrics


def test_every_metric_that_alerts_and_their_page_name_is_one_that_is_served() -> None:
    text = read("docs/operations.md") + read("k8s/components/monitoring/alerts.yaml")
    named = set(re.findall(r"\bmuster_[a-z_]+", text))
    assert len(named) > 7
    series = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    assert series <= first_column("docs/metrics.md")


def test_every_setting_and_error_code_that_operators_read_of_is_one_that_there_is() -> None:
    page = read("docs/operations.md") + read("docs/troubleshooting.md")
    settings = set(re.findall(r"\bMUSTER_[A-Z]+(?:_[A-Z]+)*\b", page))
    passwords = set(re.findall(r"^(MUSTER_\w+)=", read(".env.example"), re.MULTILINE))
    assert settings <= first_column("docs/configuration.md") | passwords
    codes = set(re.findall(r"`(waiting-for-[a-z]+|[a-z]+-(?:error|attempts|missing))`", page))
    assert len(codes) > 3
    assert all(f"`{code}`" in read("docs/errors.md") for code in codes)


def test_every_error_code_stands_in_the_errors_page() -> None:
    codes = set(re.findall(r'(?:Failure|FileError)\(\s*"([a-z-]+)"', source()))
    assert len(codes) >= 8
    assert {*codes, *PROBLEM_TYPES} <= first_column("docs/errors.md")


def test_the_problems_of_the_registry_are_those_that_are_answered() -> None:
    named = (
        r'(?:[Pp]roblem\(|(?<!\w)kind = |_answer\(|_KINDS.get\(|\d{3}:|[a-zA-Z]+,)\s*"([a-z-]+)"'
    )
    used = set(re.findall(named, source()))
    assert set(PROBLEM_TYPES) == set(get_args(ProblemKind))
    assert set(PROBLEM_TYPES) - used == set()


def test_the_type_of_each_problem_is_a_link_into_the_errors_page() -> None:
    page = read("docs/errors.md")
    assert [kind for kind in PROBLEM_TYPES if page.count(f'<a id="{kind}"></a>') != 1] == []


def test_the_codes_that_are_used_are_those_of_the_registry() -> None:
    used = set(re.findall(r'(?:Failure|FileError)\(\s*"([a-z-]+)"', source()))
    assert used <= set(UPLOAD_ERRORS) == set(get_args(FailureCode))
    used = set(re.findall(r'(?:CellProblem|CellError)\(\s*"([a-z-]+)"', source()))
    assert used <= set(ROW_ERRORS) == set(get_args(RowErrorCode))


def test_the_tables_of_the_errors_page_are_those_of_the_registry() -> None:
    assert with_tables(read("docs/errors.md")) == read("docs/errors.md")


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "gateway"])
def test_every_route_of_a_service_stands_in_its_readme(service: str, tmp_path: Path) -> None:
    settings = import_module(f"{service}.settings").Settings(home=tmp_path)
    app: Flask = import_module(f"{service}.app").create_app(settings)
    text = read(f"{service}/README.md")
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    undocumented = {route for route in routes if route not in text}
    assert undocumented <= {"/static/{path:filename}", "/static/{filename}"}


def pages() -> list[Path]:
    built = [page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts]
    return [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *built]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    links = [
        (page, page.parent / target if target else page, anchor)
        for page in pages()
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text("utf-8"))
        if "://" not in target
    ]
    assert len(links) > 100
    assert [(str(page), str(target)) for page, target, _ in links if not target.exists()] == []
    lost = [
        (str(page), anchor)
        for page, target, anchor in links
        if anchor and anchor not in anchors(target)
    ]
    assert lost == []


def test_everything_that_the_client_exports_stands_in_its_reference() -> None:
    named = re.findall(
        r"^\.\. auto\w+:: muster_client\.(\w+)", read("docs/python-reference.md"), re.M
    )
    assert sorted(named) == sorted(muster_client.__all__)


def test_python_in_the_docs_calls_methods_that_the_client_has() -> None:
    for page in ("docs/using.md", "docs/webhooks.md"):
        for script in re.findall(r"^```python\n(.*?)^```$", read(page), re.M | re.S):
            called = re.findall(r"\bmuster\.(\w+)\(", script)
            assert [name for name in called if not hasattr(MusterClient, name)] == []
