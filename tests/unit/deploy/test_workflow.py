"""The workflow of the build server: bounded in time, with no more rights than it needs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILE = ROOT / ".github/workflows/ci.yml"
WORKFLOW: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))


def test_every_action_is_pinned_to_a_commit() -> None:
    actions = re.findall(r"uses: (\S+)", FILE.read_text("utf-8"))
    assert actions
    assert [action for action in actions if not re.fullmatch(r"\S+@[0-9a-f]{40}", action)] == []


def test_every_job_ends_and_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in WORKFLOW["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 90
        assert "permissions" not in job


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
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
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
