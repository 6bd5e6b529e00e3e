"""Two loaders on RabbitMQ, of which the active one stands still: the other goes on soon."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from embedded import ports
from muster.broker import Broker, BrokerUnavailable, Unroutable, open_broker
from muster.contracts.uploads import State
from tests.servers.mysqlwire import MysqlWire, Passage
from tests.servers.rabbitmq import own_names
from tests.servers.shared import server_url
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.test_consumer import consuming, publish, status
from tests.unit.dbuploader.uploads.test_frozen_loader import hires
from tests.waiting import DEADLINE_SECONDS, eventually

SOON_SECONDS = 30.0
STATEMENTS = (
    "INSERT INTO load_attempts",
    "commit",
    "SELECT departments.id",
    "LOAD DATA",
    "INSERT INTO hires_summary",
    "INSERT INTO ledger",
)


@pytest.fixture
def wire(mysql_database_url: str) -> Iterator[MysqlWire]:
    with MysqlWire(mysql_database_url) as wire:
        yield wire


@pytest.fixture
def suite(tmp_path: Path, mysql_database_url: str, run_directory: Path) -> Iterator[Suite]:
    suite = Suite(tmp_path, mysql_database_url)
    suite.seed()
    with own_names(server_url("amqp", run_directory)) as broker_url:
        suite.urls["broker_url"] = broker_url
        yield suite
    suite.close()


def publish_once_there_is_a_queue(broker: Broker, upload_id: str) -> None:
    def is_published() -> bool:
        try:
            publish(broker, upload_id)
        except (BrokerUnavailable, Unroutable):
            return False
        return True

    eventually(is_published, pause=0.1)


@contextmanager
def ready(suite: Suite, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A loader that is connected to all it needs: the first to be is the active one."""
    with ports.reserve() as reserved:
        port = ports.port_of(reserved)
        with consuming(suite, MUSTER_HEALTH_PORT=str(port), **variables) as process:
            eventually(lambda: status(port, "/readyz") == 200)
            yield process


def freeze_at(wire: MysqlWire, loader: "subprocess.Popen[bytes]", statement: str) -> Event:
    """Have the loader stand still when it has begun such a statement."""
    frozen = Event()

    def strike(passage: Passage, _to_server: bool) -> None:
        if passage.statement.startswith(statement) and not frozen.is_set():
            loader.send_signal(signal.SIGSTOP)
            frozen.set()

    wire.strike = strike
    return frozen


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_standby_takes_over_from_a_frozen_loader_in_time(
    suite: Suite, wire: MysqlWire, statement: str
) -> None:
    upload_id = suite.accept("hired_employees", hires(5_000, 1))
    with (
        closing(open_broker(suite.urls["broker_url"])) as broker,
        ready(suite, MUSTER_EMPLOYMENT_DATABASE_URL=wire.url) as active,
        ready(suite),
    ):
        frozen = freeze_at(wire, active, statement)
        publish_once_there_is_a_queue(broker, upload_id)
        assert frozen.wait(DEADLINE_SECONDS)
        began = time.monotonic()
        eventually(lambda: suite.store.get(upload_id).announced, SOON_SECONDS)
        print(f"{statement}: {time.monotonic() - began:.1f} s")
        before = suite.store.get(upload_id)
        active.send_signal(signal.SIGCONT)
        active.send_signal(signal.SIGTERM)
        assert active.wait(DEADLINE_SECONDS) == 0
    assert before.state == State.COMPLETED_WITH_REJECTS
    assert suite.store.get(upload_id) == before
    assert suite.summary() == suite.expected_summary()
