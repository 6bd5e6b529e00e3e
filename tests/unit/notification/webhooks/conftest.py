import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from muster.database import Database, open_database
from notification.channels.webhook.addresses import AddressPolicy, Resolver
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Endpoints
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.sealing import SecretBox
from notification.channels.webhook.transport import Caller
from notification.migrations import migrate
from tests.contract.certificates import Authority
from tests.servers.templates import migrate_by_template
from tests.servers.webhook_receiver import Answer, Receiver, receiving

LOCAL = AddressPolicy(allow=[ip_network("127.0.0.0/8")])


@dataclass
class Clock:
    """Stands still, unless it is moved."""

    now: int = 1_764_320_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box() -> SecretBox:
    return SecretBox([bytes(32)])


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        migrate_by_template(database, migrate)
        yield database


@pytest.fixture
def endpoints(database: Database, box: SecretBox, clock: Clock) -> Endpoints:
    return Endpoints(database, box, LOCAL, clock)


@pytest.fixture
def deliveries(database: Database, clock: Clock) -> Deliveries:
    return Deliveries(database, clock)


@pytest.fixture
def queue(database: Database, clock: Clock) -> DeliveryQueue:
    return DeliveryQueue(database, clock)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_tls(authority: Authority) -> ssl.SSLContext:
    return authority.server_context("127.0.0.1", "hooks.example.com")


@pytest.fixture(scope="session")
def client_tls(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_file))


@pytest.fixture
def receive(server_tls: ssl.SSLContext) -> Iterator[Callable[..., Receiver]]:
    """Begins an endpoint that answers so."""
    with ExitStack() as stack:

        def begin(
            answer: Answer, tls: ssl.SSLContext | None = server_tls, host: str = "127.0.0.1"
        ) -> Receiver:
            return stack.enter_context(receiving(answer, tls, host))

        yield begin


@pytest.fixture
def caller(client_tls: ssl.SSLContext) -> Iterator[Caller]:
    with closing(Resolver(2)) as resolver:
        yield Caller(LOCAL, resolver, client_tls, seconds=2.0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
