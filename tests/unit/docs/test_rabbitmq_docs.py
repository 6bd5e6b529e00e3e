"""The configuration page says of RabbitMQ what the adapter does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from muster.broker.rabbitmq.connection import ConnectionOptions
from muster.broker.rabbitmq.topology import Topology

ROOT = Path(__file__).parents[3]
DEFAULT_EXCHANGE = "amq.default"


@pytest.fixture(scope="module")
def section() -> str:
    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    _, _, rest = page.partition("### The broker in RabbitMQ\n")
    return rest.partition("\n### ")[0]


def test_every_option_of_the_url_stands_there_with_its_default(section: str) -> None:
    table = dict(re.findall(r"^\| (\w+) \| ([^|]+) \|", section, re.MULTILINE))
    shown = {name: table.get(name) for name in ("heartbeat", "deadline_seconds")}
    assert {field.name for field in fields(ConnectionOptions)} < table.keys()
    assert shown == {"heartbeat": "5", "deadline_seconds": "10"}
    assert (ConnectionOptions().heartbeat, ConnectionOptions().deadline_seconds) == (5, 10)


def test_the_permissions_cover_what_is_declared_and_nothing_else(section: str) -> None:
    patterns = re.findall(r"^  '(\^.*\$)'", section, re.MULTILINE)
    names = [Topology().exchange, *(name for name, _ in Topology().queues())]
    assert len(patterns) == 3
    for pattern in patterns:
        assert all(re.search(pattern, name) for name in names)
        assert not any(re.search(pattern, f"x{name}") for name in names)
    assert [bool(re.search(each, DEFAULT_EXCHANGE)) for each in patterns] == [False, True, False]


def test_every_kind_of_queue_stands_there(section: str) -> None:
    suffixes = {name.removeprefix("dbuploader") for name, _ in Topology().queues()}
    for suffix in sorted(suffix for suffix in suffixes if suffix.startswith(".")):
        assert suffix in section or f", {suffix.removeprefix('.retry')}" in section
