"""A server below its floor: whoever starts ends, whoever runs waits until it is replaced."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from pika import SelectConnection, URLParameters
from pymongo import MongoClient

from embedded.backends import check_backends
from embedded.errors import StartError
from muster.backends.dependencies import Check
from muster.backends.servers import StoreRefused
from muster.broker import BrokerRefused, BrokerUnavailable, open_broker
from muster.database import DatabaseRefused, DatabaseUnavailable, open_database
from muster.uploadstore import open_upload_store
from muster.weather import StoreUnavailable
from tests.servers.mariadb import MariaServer, administration
from tests.servers.rewriting import AnswerRewriter


class Old(NamedTuple):
    """A server that gives itself for one of a version that begins with a 0 until it is replaced."""

    name: str
    url: str
    proxy: AnswerRewriter

    @property
    def complaint(self) -> str:
        """What begins the sentence about it."""
        return f"{self.name} at 127.0.0.1:{self.proxy.port} has version 0"


@contextmanager
def old(name: str, url: str, version: str, major: str = "0") -> Iterator[Old]:
    parts = urlsplit(url)
    assert parts.port is not None
    other = major + version[len(major) :]
    with AnswerRewriter(parts.port, version.encode(), other.encode()) as proxy:
        yield Old(name, url.replace(f":{parts.port}/", f":{proxy.port}/"), proxy)


@pytest.fixture
def old_mysql(mysql_node: MariaServer) -> Iterator[Old]:
    with closing(administration(mysql_node.url())) as database, database.read() as connection:
        version = connection.exec_driver_sql("SELECT VERSION()").scalar_one()
    # The driver itself speaks to none before 4.1.
    with old("MariaDB", mysql_node.url("mysql"), version, major="05") as server:
        yield server


@pytest.fixture
def old_rabbitmq(rabbitmq_broker_url: str) -> Iterator[Old]:
    with old("RabbitMQ", rabbitmq_broker_url, rabbitmq_version(rabbitmq_broker_url)) as server:
        yield server


def rabbitmq_version(url: str) -> str:
    found: list[str] = []

    def on_open(connection: SelectConnection) -> None:
        assert connection.server_properties is not None
        found.append(str(connection.server_properties["version"]))
        connection.close()

    connection = SelectConnection(
        URLParameters(url.partition("?")[0]),
        on_open_callback=on_open,
        on_close_callback=lambda *_: connection.ioloop.stop(),
    )
    connection.ioloop.start()
    connection.ioloop.close()
    return found[0]


@pytest.fixture
def old_mongodb(mongodb_store_url: str) -> Iterator[Old]:
    with MongoClient[dict[str, str]](mongodb_store_url) as client:
        version = client.admin.command("buildInfo")["version"]
    # Else the driver would go on to the server at its own address.
    with old("MongoDB", f"{mongodb_store_url}&directConnection=true", version) as server:
        yield server


def opened_database(url: str) -> tuple[Check, Callable[[], None]]:
    database = open_database(url)
    return database.check, database.close


def opened_broker(url: str) -> tuple[Check, Callable[[], None]]:
    broker = open_broker(url)
    return broker.check, broker.close


def opened_store(url: str) -> tuple[Check, Callable[[], None]]:
    store = open_upload_store(url)
    return store.check, store.close


@pytest.mark.parametrize(
    ("server", "opened", "refused", "unavailable"),
    [
        ("old_mysql", opened_database, DatabaseRefused, DatabaseUnavailable),
        ("old_rabbitmq", opened_broker, BrokerRefused, BrokerUnavailable),
        ("old_mongodb", opened_store, StoreRefused, StoreUnavailable),
    ],
)
def test_an_old_server_is_refused_and_is_weather_until_it_is_replaced(
    server: str,
    opened: Callable[[str], tuple[Check, Callable[[], None]]],
    refused: type[Exception],
    unavailable: type[Exception],
    request: pytest.FixtureRequest,
) -> None:
    found: Old = request.getfixturevalue(server)
    check, close = opened(found.url)
    for _ in range(2):
        with pytest.raises(refused, match=found.complaint) as caught:
            check()
        assert isinstance(caught.value, unavailable)
    found.proxy.is_on = False
    check()
    close()


def served(service: str) -> Sequence[str]:
    return "-m", "gunicorn", "-c", "python:muster.serving", f"{service}.app:create_app()"


PROCESSES = [
    ("old_mysql", "MUSTER_AUTH_DATABASE_URL", ("-m", "auth.migrations"), 1),
    ("old_mysql", "MUSTER_EMPLOYMENT_DATABASE_URL", ("-m", "dbuploader.consumer"), 1),
    ("old_mysql", "MUSTER_EMPLOYMENT_DATABASE_URL", served("queries"), 4),
    ("old_rabbitmq", "MUSTER_BROKER_URL", served("gateway"), 4),
    ("old_rabbitmq", "MUSTER_BROKER_URL", ("-m", "notification.consumer"), 1),
    ("old_mongodb", "MUSTER_CSV_STORE_URL", ("-m", "gateway.relay"), 1),
]


@pytest.mark.parametrize(
    ("server", "variable", "process", "status"),
    PROCESSES,
    ids=[process[-1] for _, _, process, _ in PROCESSES],
)
def test_a_process_that_starts_on_an_old_server_ends_and_says_why(
    server: str,
    variable: str,
    process: Sequence[str],
    status: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    found: Old = request.getfixturevalue(server)
    ended = subprocess.run(
        [sys.executable, *process],
        env={
            **os.environ,
            "MUSTER_HOME": str(tmp_path),
            "MUSTER_BIND": "127.0.0.1:0",
            variable: found.url,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.complaint in ended.stderr
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("server", "variable"),
    [
        ("old_mysql", "MUSTER_AUTH_DATABASE_URL"),
        ("old_mysql", "MUSTER_EMPLOYMENT_DATABASE_URL"),
        ("old_rabbitmq", "MUSTER_BROKER_URL"),
        ("old_mongodb", "MUSTER_CSV_STORE_URL"),
    ],
)
def test_the_suite_says_so_before_anything_starts(
    server: str,
    variable: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found: Old = request.getfixturevalue(server)
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, found.url)
    with pytest.raises(StartError, match=found.complaint):
        check_backends()
    assert not (tmp_path / "home").exists()
