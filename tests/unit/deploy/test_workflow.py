"""The workflows of the build server: bounded in time, with no more rights than they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose_file import containers

ROOT = Path(__file__).parents[3]
FILE = ROOT / ".github/workflows/ci.yml"
FILES = sorted(FILE.parent.glob("*.yml"))
WORKFLOW: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_to_a_commit(file: Path) -> None:
    actions = re.findall(r"uses: (\S+)", file.read_text("utf-8"))
    assert actions
    assert [action for action in actions if not re.fullmatch(r"\S+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_job_ends_and_no_command_is_made_of_an_expression(file: Path) -> None:
    for job in yaml.safe_load(file.read_text("utf-8"))["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 90
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert [run for run in runs if re.search(r"\$\{\{ (?!matrix\.)", run)] == []


def test_the_checks_of_a_change_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [job for job in WORKFLOW["jobs"].values() if "permissions" in job] == []


def test_only_a_release_may_write_and_each_of_its_jobs_only_its_own() -> None:
    release = yaml.safe_load((FILE.parent / "release.yml").read_text("utf-8"))
    assert release["permissions"] == {}
    allowed = {
        name: {scope for scope, right in job["permissions"].items() if right == "write"}
        for name, job in release["jobs"].items()
    }
    assert allowed == {
        "images": {"packages", "id-token"},
        "docs": set(),
        "site": {"pages", "id-token"},
        "announce": {"contents"},
    }


def matrix_of(job: str) -> list[dict[str, str]]:
    included: list[dict[str, str]] = WORKFLOW["jobs"][job]["strategy"]["matrix"]["include"]
    return included


def tried(key: str) -> set[str]:
    return {
        entry[key]
        for job in ("servers", "ubuntu", "rhel")
        for entry in matrix_of(job)
        if key in entry
    }


def test_every_server_that_is_supported_is_tried() -> None:
    assert tried("sql") == {"mysql:8.4", "mysql:9.7", "mariadb:10.11", "mariadb:11.8"}
    assert tried("rabbitmq") == {"3.13", "4.0", "4.3"}
    assert tried("mongo") == {"7.0", "8.0"}


def test_every_system_that_is_supported_is_tried() -> None:
    debians = {"debian:bookworm", "debian:trixie"}
    assert debians == set(WORKFLOW["jobs"]["debian"]["strategy"]["matrix"]["system"])
    rhels = {"rockylinux/rockylinux:9", "rockylinux/rockylinux:10"}
    ubuntus = {"ubuntu-22.04", "ubuntu-24.04", "ubuntu-24.04-arm"}
    assert tried("system") == debians | rhels | ubuntus | {"python:3.14-trixie"}
    assert WORKFLOW["jobs"]["macos"]["runs-on"] == "macos-latest"


def test_the_servers_of_the_compose_file_are_tried_together() -> None:
    compose = containers()
    together = [
        (each["sql"], f"rabbitmq:{each['rabbitmq']}-management", f"mongo:{each['mongo']}")
        for each in matrix_of("servers")
    ]
    assert tuple(compose[name]["image"] for name in ("auth-db", "rabbitmq", "mongo")) in together


@pytest.mark.parametrize("job", ["servers", "ubuntu"])
def test_the_servers_are_named_as_the_tests_ask_for_them(job: str) -> None:
    named = set(WORKFLOW["jobs"][job]["env"]) - {"CI"}
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("conftest.py"))
    assert named >= set(re.findall(r"MUSTER_TEST_[A-Z]+_URL", tests))
    hosts = {"sql", "rabbitmq"} if job == "servers" else {"127.0.0.1"}
    assert set(WORKFLOW["jobs"][job]["services"]) == {"sql", "rabbitmq"}
    urls = " ".join(WORKFLOW["jobs"][job]["env"].values())
    assert set(re.findall(r"(?:@|//)([\w.]+):\d+/", urls)) - {"mongo"} == hosts
