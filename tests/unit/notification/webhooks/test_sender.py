"""The sender, over real endpoints: what each answers decides what becomes of a delivery."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from muster.database import Database
from muster.worker.retry import RetryPolicy
from notification.channels.webhook.deliveries import Deliveries, Delivery
from notification.channels.webhook.endpoints import Endpoint, Endpoints
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.sealing import SecretBox, new_secret
from notification.channels.webhook.sender import Courier, Sender
from notification.channels.webhook.transport import Caller
from tests.servers.webhook_receiver import Receiver, status
from tests.unit.notification import stories
from tests.unit.notification.post import UnsteadyStore
from tests.unit.notification.webhooks.conftest import LOCAL
from tests.waiting import eventually

Receive = Callable[..., Receiver]
PUBLIC_URL = "https://muster.example.com"


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    return sqlite_database_url


@dataclass
class Post:
    """Endpoints of ana, her uploads, and a sender that is at work."""

    endpoints: Endpoints
    deliveries: Deliveries
    store: UnsteadyStore

    def register(self, receiver: Receiver) -> Endpoint:
        return self.endpoints.add(stories.COMPLETED.owner, receiver.url, "")

    def finish(self, number: int = 0) -> str:
        upload = self.store.accept(replace(stories.WITH_REJECTS, id=f"{number:032x}"))
        self.deliveries.enter_finished(upload.owner, upload.id)
        return upload.id

    def deliveries_to(self, endpoint: Endpoint) -> list[Delivery]:
        owner = stories.COMPLETED.owner
        return list(self.deliveries.list(owner, endpoint.id, None, 100).deliveries)

    def settled(self, endpoint: Endpoint, state: str) -> Delivery:
        eventually(lambda: [each.state for each in self.deliveries_to(endpoint)] == [state])
        return self.deliveries_to(endpoint)[0]


@pytest.fixture
def post(
    database: Database, box: SecretBox, caller: Caller, store: UnsteadyStore
) -> Iterator[Post]:
    quick = RetryPolicy(timedelta(milliseconds=200), longest=timedelta(milliseconds=200))
    deliveries = Deliveries(database)
    courier = Courier(store, box, caller, PUBLIC_URL)
    sender = Sender(DeliveryQueue(database, retries=quick, rests=quick), deliveries, courier)
    stop = threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop, lambda: None))
    thread.start()
    yield Post(Endpoints(database, box, LOCAL), deliveries, store)
    stop.set()
    thread.join()


def test_what_is_sent_is_the_upload_signed_by_the_endpoint_s_secret(
    post: Post, receive: Receive
) -> None:
    receiver = receive(status("204 No Content"))
    endpoint = post.register(receiver)
    upload_id = post.finish()
    delivered = post.settled(endpoint, "delivered")
    assert (delivered.status, delivered.attempts, delivered.reason) == (204, 1, None)
    (call,) = receiver.calls
    assert endpoint.secret is not None
    event = Webhook(endpoint.secret).verify(call.body, call.headers)
    assert event["type"] == "upload.finished"
    assert event["timestamp"] == "2021-11-07T02:48:45.250000Z"
    assert event["data"]["id"] == upload_id
    assert event["data"]["rows"]["rejected"] == 70
    assert event["data"]["links"]["self"] == f"{PUBLIC_URL}/v1/uploads/{upload_id}"
    assert call.headers["webhook-id"] == delivered.id
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(call.body, call.headers)


def test_a_test_is_signed_likewise(post: Post, receive: Receive) -> None:
    receiver = receive(status("200 OK"))
    endpoint = post.register(receiver)
    post.deliveries.test(stories.COMPLETED.owner, endpoint.id)
    post.settled(endpoint, "delivered")
    assert endpoint.secret is not None
    (call,) = receiver.calls
    event = Webhook(endpoint.secret).verify(call.body, call.headers)
    assert (event["type"], event["data"]["webhook"]) == ("webhook.test", endpoint.id)


def test_what_fails_is_sent_again_by_the_same_id_until_it_is_taken(
    post: Post, receive: Receive
) -> None:
    answers = iter([status("500 Oops"), status("302 Found", "Location: http://127.0.0.1/")])
    receiver = receive(lambda connection: next(answers, status("200 OK"))(connection))
    endpoint = post.register(receiver)
    post.finish()
    delivered = post.settled(endpoint, "delivered")
    assert delivered.attempts == 3
    assert {call.headers["webhook-id"] for call in receiver.calls} == {delivered.id}
    assert {call.path for call in receiver.calls} == {"/hook"}


def test_410_disables_it(post: Post, receive: Receive) -> None:
    receiver = receive(status("410 Gone"))
    endpoint = post.register(receiver)
    post.finish()
    assert post.settled(endpoint, "dead").status == 410
    assert not post.endpoints.get(stories.COMPLETED.owner, endpoint.id).enabled


def test_one_that_hangs_holds_up_no_other(post: Post, receive: Receive) -> None:
    hanging = receive(lambda _: time.sleep(1.5))
    quick = receive(status("200 OK"))
    slow, endpoint = post.register(hanging), post.register(quick)
    begun = time.monotonic()
    for number in range(5):
        post.finish(number)
    eventually(lambda: {each.state for each in post.deliveries_to(endpoint)} == {"delivered"})
    assert len(post.deliveries_to(endpoint)) == 5
    assert time.monotonic() - begun < 20
    assert len(hanging.calls) <= 3
    assert {each.state for each in post.deliveries_to(slow)} == {"waiting"}


def test_a_store_that_is_away_is_no_failure_of_the_endpoint(
    post: Post, receive: Receive, store: UnsteadyStore
) -> None:
    receiver = receive(status("200 OK"))
    endpoint = post.register(receiver)
    upload_id = post.finish()
    post.settled(endpoint, "delivered")
    store.away = {"get"}
    post.deliveries.replay(stories.COMPLETED.owner, endpoint.id, post.deliveries_to(endpoint)[0].id)
    time.sleep(0.7)
    (waiting,) = post.deliveries_to(endpoint)
    assert (waiting.state, waiting.attempts, waiting.upload) == ("waiting", 0, upload_id)
    assert len(receiver.calls) == 1
