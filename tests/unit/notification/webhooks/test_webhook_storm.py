"""Ten thousand deliveries to endpoints of every kind: each ends, and none holds up another."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from muster.database import Database
from notification.channels.webhook import schema
from notification.channels.webhook.addresses import AddressPolicy, Resolver
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.endpoints import Endpoints
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.sealing import SecretBox
from notification.channels.webhook.sender import Courier, Sender
from notification.channels.webhook.transport import Caller
from tests.unit.notification import stories
from tests.unit.notification.post import UnsteadyStore
from tests.unit.notification.webhooks.receiver import Receiver, status
from tests.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

DELIVERIES = int(os.environ.get("WEBHOOK_STORM", "10000"))
# Instead of three days; a signature is verified within five minutes.
SECONDS = 90 if DELIVERIES < 2000 else 180
# Of ten endpoints of one user, which get a tenth each.
SHAPES = ("ok", "ok", "ok", "fails", "fails", "hangs", "hangs", "redirects", "gone", "forbidden")


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
    monkeypatch.setattr(
        "notification.channels.webhook.deliveries.GIVEN_UP_AFTER", timedelta(seconds=SECONDS)
    )
    monkeypatch.setattr("notification.channels.webhook.sender._HOUSEKEEPING_SECONDS", 1.0)
    trap = receive(status("200 OK"), None)
    stop, end = threading.Event(), threading.Event()
    answers = {
        "ok": status("200 OK"),
        "fails": status("500 Oops"),
        "hangs": lambda _: end.wait(60),
        "redirects": status("302 Found", f"Location: http://127.0.0.2:{trap.port}/"),
        "gone": status("410 Gone"),
        "forbidden": status("200 OK"),
    }
    # Everything but 127.0.0.1 is forbidden, and a name leads to the trap.
    policy = AddressPolicy(allow=[ip_network("127.0.0.1/32")])
    deliveries, endpoints = Deliveries(database), Endpoints(database, box, policy)
    uploads = [
        store.accept(replace(stories.COMPLETED, id=f"{number:032x}"))
        for number in range(DELIVERIES // len(SHAPES))
    ]
    registered = []
    for shape in SHAPES:
        receiver = receive(answers[shape])
        url = receiver.url if shape != "forbidden" else "https://inside.example.com:8443/"
        registered.append((shape, receiver, endpoints.add(stories.COMPLETED.owner, url, shape)))
    other = receive(status("200 OK"))
    watched = endpoints.add("other", other.url, "")
    begun = time.monotonic()
    for upload in uploads:
        deliveries.enter_finished(upload.owner, upload.id)
    print(f"\nentered {len(uploads) * len(SHAPES)} in {time.monotonic() - begun:.1f} s")
    with closing(Resolver(8, lambda *_: ["127.0.0.2"])) as resolver:
        named = replace(caller, policy=policy, resolver=resolver, seconds=3.0)
        courier = Courier(store, box, named, "https://muster.example.com")
        sender = Sender(DeliveryQueue(database), deliveries, courier)
        thread = threading.Thread(target=sender.run, args=(stop, lambda: None))
        begun = time.monotonic()
        thread.start()
        latencies: list[float] = []
        try:
            while deliveries.backlog().waiting:
                if len(latencies) < 100:
                    latencies.append(_latency(deliveries, watched.id, len(latencies)))
                time.sleep(0.5)
            print(f"ended in {time.monotonic() - begun:.1f} s")
        finally:
            stop.set()
            end.set()
            thread.join()
    latencies.sort()
    print(
        f"others, {len(latencies)}: median {latencies[len(latencies) // 2]:.2f} s, "
        f"95 % {latencies[len(latencies) * 95 // 100]:.2f} s, most {latencies[-1]:.2f} s"
    )
    with database.read() as connection:
        ended = connection.execute(
            select(schema.deliveries.c.endpoint_id, schema.deliveries.c.state)
        ).all()
        reasons = connection.execute(
            select(schema.deliveries.c.reason).where(schema.deliveries.c.state == "dead")
        ).scalars()
        assert all(reasons)
    states = Counter((row.endpoint_id, row.state) for row in ended)
    for shape, receiver, endpoint in registered:
        expected = "delivered" if shape == "ok" else "dead"
        assert states[endpoint.id, expected] == len(uploads), shape
        print(f"{shape}: {expected}, {len(receiver.calls)} calls")
        assert endpoint.secret is not None
        for call in receiver.calls:
            Webhook(endpoint.secret).verify(call.body, call.headers)
    assert trap.connections == 0
    assert latencies[len(latencies) * 95 // 100] < 5


def _latency(deliveries: Deliveries, endpoint: str, number: int) -> float:
    """How long one takes to somebody whose endpoint is well."""
    begun = time.monotonic()
    deliveries.enter_finished("other", f"{number:032x}")

    def is_delivered() -> bool:
        newest = deliveries.list("other", endpoint, None, 1).deliveries[0]
        return newest.state == "delivered"

    eventually(is_delivered)
    return time.monotonic() - begun
