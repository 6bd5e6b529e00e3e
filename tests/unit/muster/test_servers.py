"""The floors of the servers, and a process that starts and finds one below."""

import threading
from pathlib import Path

import pytest

from muster.adapters import ConfigurationError
from muster.backends.servers import FLOORS, require_servers, too_old
from muster.broker import BrokerRefused, BrokerUnavailable

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("product", "version"),
    [
        ("RabbitMQ", "3.10.8"),
        ("RabbitMQ", "4.3.6"),
        ("MariaDB", "10.11.19-MariaDB-0+deb12u1"),
        ("MariaDB", "11.8.2-MariaDB"),
        ("MySQL", "8.4.0"),
        ("MySQL", "9.7.4-2"),
        ("MongoDB", "7.0.77"),
        ("MongoDB", "8.2.11"),
        ("LavinMQ", "2.1.0"),
    ],
)
def test_a_server_from_its_floor_on_is_used(product: str, version: str) -> None:
    assert too_old(product, version, "host:1", "some") is None


@pytest.mark.parametrize(
    ("product", "version"),
    [
        ("RabbitMQ", "3.9.29"),
        ("MariaDB", "10.6.22-MariaDB-log"),
        ("MySQL", "8.0.43"),
        ("MySQL", "8.0.11-TiDB-v7.5.0"),
        ("MongoDB", "6.0.24"),
        ("MongoDB", "none that can be read"),
    ],
)
def test_one_below_is_told_in_a_sentence_what_is_needed_and_what_to_do(
    product: str, version: str
) -> None:
    floor = ".".join(map(str, FLOORS[product]))
    assert too_old(product, version, "host:1", "broker") == (
        f"{product} at host:1 has version {version} and Muster needs {floor} or newer: "
        "upgrade that server, or name a newer one in the broker URL."
    )


def test_every_floor_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    for product, floor in FLOORS.items():
        assert f"| {product} | {floor[0]}.{floor[1]} |" in page


def refuse() -> None:
    raise BrokerRefused("it is too old")


def be_away() -> None:
    raise BrokerUnavailable("it is away")


def answer() -> None:
    """As a check does that has nothing to complain of."""


def test_whoever_starts_is_refused_by_one_of_its_servers() -> None:
    with pytest.raises(ConfigurationError, match="it is too old"):
        require_servers({"one": answer, "two": be_away, "three": refuse})


def test_a_server_that_is_away_or_answers_refuses_nothing() -> None:
    require_servers({"one": answer, "two": be_away})


def test_a_server_that_hangs_is_not_waited_for_but_others_are_heard() -> None:
    never = threading.Event()
    hanging = {"one": lambda: (never.wait(), None)[1]}
    require_servers(hanging, seconds=0.05)
    with pytest.raises(ConfigurationError, match="it is too old"):
        require_servers({**hanging, "two": refuse}, seconds=60)
    never.set()
