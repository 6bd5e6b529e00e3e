"""Ten thousand deliveries to endpoints of every kind: each ends, and none holds up another."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from muster.database import Database
from notification.channels.webhook import schema
from notification.channels.webhook.addresses import AddressPolicy, Resolver
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Endpoint, Endpoints
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.sealing import SecretBox
from notification.channels.webhook.sender import Courier, Sender
from notification.channels.webhook.transport import Caller
from tests.servers.webhook_receiver import Answer, Receiver, status
from tests.unit.notification import stories
from tests.unit.notification.post import UnsteadyStore
from tests.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

DELIVERIES = int(os.environ.get("WEBHOOK_STORM", "10000"))
# Of ten endpoints of one user, which get a tenth each.
SHAPES = ("ok", "ok", "ok", "fails", "fails", "hangs", "hangs", "redirects", "gone", "forbidden")
# What ends without being given up.
ENDING = {"ok", "gone", "forbidden"}
FORBIDDEN = "127.0.0.2"
# Everything else.
POLICY = AddressPolicy(allow=[ip_network("127.0.0.1/32")])
OTHER = "other"
MOST_OTHERS = 300
CALL_SECONDS = 3.0


@dataclass
class Called:
    """An endpoint of a shape, and what was sent to it."""

    shape: str
    receiver: Receiver
    endpoint: Endpoint
    verified: int = 0

    def verify(self, stranger: Endpoint) -> None:
        """Verify what came since the last time: a signature is good for five minutes."""
        calls = self.receiver.calls[self.verified :]
        for call in calls:
            _library(self.endpoint).verify(call.body, call.headers)
            with pytest.raises(WebhookVerificationError):
                _library(stranger).verify(call.body, call.headers)
        self.verified += len(calls)


def _library(endpoint: Endpoint) -> Webhook:
    assert endpoint.secret is not None
    return Webhook(endpoint.secret)


@dataclass
class Others:
    """Somebody else, whose endpoint is well: how long each delivery takes."""

    deliveries: Deliveries
    endpoint: Endpoint
    uploads: Sequence[str]
    seconds: list[float] = field(default_factory=list)

    def deliver(self) -> None:
        """One more, if there are not enough."""
        if len(self.seconds) >= min(len(self.uploads), MOST_OTHERS):
            return
        begun = time.monotonic()
        self.deliveries.enter_finished(OTHER, self.uploads[len(self.seconds)])
        eventually(self._is_delivered)
        self.seconds.append(time.monotonic() - begun)

    def _is_delivered(self) -> bool:
        newest = self.deliveries.list(OTHER, self.endpoint.id, None, 1).deliveries[0]
        return newest.state == "delivered"

    def share(self, percent: int) -> float:
        """The seconds within which so many of a hundred were delivered."""
        return sorted(self.seconds)[len(self.seconds) * percent // 100]


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    return sqlite_database_url


def test_each_ends_delivered_or_dead_and_others_wait_for_none(
    database: Database,
    box: SecretBox,
    caller: Caller,
    store: UnsteadyStore,
    receive: Callable[..., Receiver],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notification.channels.webhook.sender._HOUSEKEEPING_SECONDS", 1.0)
    deliveries, endpoints = Deliveries(database), Endpoints(database, box, POLICY)
    uploads = [
        store.accept(replace(stories.COMPLETED, id=f"{number:032x}"))
        for number in range(DELIVERIES // len(SHAPES))
    ]
    trap, end = receive(status("200 OK"), None, FORBIDDEN), threading.Event()
    called = [_register(endpoints, receive, shape, trap, end) for shape in SHAPES]
    well = endpoints.add(OTHER, receive(status("200 OK")).url, "")
    others = Others(deliveries, well, [upload.id for upload in uploads])
    begun = time.monotonic()
    for upload in uploads:
        deliveries.enter_finished(upload.owner, upload.id)
    print(f"\nentered {len(uploads) * len(SHAPES)} in {time.monotonic() - begun:.1f} s")

    begun = time.monotonic()
    with _sending(database, Courier(store, box, caller, "https://muster.example.com"), end):
        while _waiting(database, called, ENDING):
            others.deliver()
            for each in called:
                each.verify(well)
        print(f"ended by themselves in {time.monotonic() - begun:.1f} s")
        # As if three days were over.
        monkeypatch.setattr("notification.channels.webhook.deliveries.GIVEN_UP_AFTER", timedelta(0))
        eventually(lambda: not deliveries.backlog().waiting)

    print(
        f"others, {len(others.seconds)}: median {others.share(50):.2f} s, "
        f"99 % {others.share(99):.2f} s, most {max(others.seconds):.2f} s"
    )
    reasons = _reasons(database)
    print(*(f"dead, {count}: {reason}" for reason, count in reasons.most_common()), sep="\n")
    assert all(reasons)
    for each in called:
        each.verify(well)
        states = _states(database, each.endpoint)
        print(f"{each.shape}: {dict(states)}, {each.verified} calls verified")
        assert states == {"delivered" if each.shape == "ok" else "dead": len(uploads)}
    assert trap.connections == 0
    # One after the other, those that hang would take two thousand times as long.
    assert others.share(99) < 20 * CALL_SECONDS


def _register(
    endpoints: Endpoints,
    receive: Callable[..., Receiver],
    shape: str,
    trap: Receiver,
    end: threading.Event,
) -> Called:
    answers: dict[str, Answer] = {
        "fails": status("500 Oops"),
        "hangs": lambda _: _hang(end),
        "redirects": status("302 Found", f"Location: http://{FORBIDDEN}:{trap.port}/"),
        "gone": status("410 Gone"),
    }
    receiver = receive(answers.get(shape, status("200 OK")))
    inside = f"http://inside.example.com:{trap.port}/"
    url = inside if shape == "forbidden" else receiver.url
    return Called(shape, receiver, endpoints.add(stories.COMPLETED.owner, url, shape))


@contextmanager
def _sending(database: Database, courier: Courier, end: threading.Event) -> Iterator[None]:
    """A sender at work, for whom every name is at the forbidden address."""
    stop = threading.Event()
    with closing(Resolver(8, lambda *_: [FORBIDDEN])) as resolver:
        caller = replace(courier.caller, policy=POLICY, resolver=resolver, seconds=CALL_SECONDS)
        sender = Sender(
            DeliveryQueue(database), Deliveries(database), replace(courier, caller=caller)
        )
        thread = threading.Thread(target=sender.run, args=(stop, lambda: None))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            end.set()
            thread.join()


def _waiting(database: Database, called: Sequence[Called], shapes: set[str]) -> int:
    ids = [each.endpoint.id for each in called if each.shape in shapes]
    table = schema.deliveries.c
    query = select(func.count()).where(table.endpoint_id.in_(ids), table.state == "waiting")
    with database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _states(database: Database, endpoint: Endpoint) -> Counter[str]:
    query = select(schema.deliveries.c.state).where(schema.deliveries.c.endpoint_id == endpoint.id)
    with database.read() as connection:
        return Counter(connection.scalars(query))


def _reasons(database: Database) -> Counter[str | None]:
    query = select(schema.deliveries.c.reason).where(schema.deliveries.c.state == "dead")
    with database.read() as connection:
        return Counter(connection.scalars(query))


def _hang(end: threading.Event) -> None:
    end.wait(600)
