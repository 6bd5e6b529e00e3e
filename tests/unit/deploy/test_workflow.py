"""The workflow of the build server: bounded in time, with no more rights than it needs."""

import re
from pathlib import Path
from typing import Any

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


def test_the_servers_are_those_of_the_compose_file() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    services = WORKFLOW["jobs"]["production-servers"]["services"]
    assert services["mysql"]["image"] == compose["auth-db"]["image"]
    assert services["rabbitmq"]["image"] == compose["rabbitmq"]["image"]
    assert f" {compose['mongo']['image']} --replSet" in FILE.read_text("utf-8")


def test_the_servers_are_named_as_the_tests_ask_for_them() -> None:
    named = set(WORKFLOW["jobs"]["production-servers"]["env"]) - {"CI"}
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("conftest.py"))
    assert named >= set(re.findall(r"MUSTER_TEST_[A-Z]+_URL", tests))
