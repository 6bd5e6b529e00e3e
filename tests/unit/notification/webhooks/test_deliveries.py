"""Deliveries: entered once, taken one at a time by an endpoint, and never lost."""

from datetime import timedelta

import pytest

from muster.database import Database
from notification.channels.webhook.deliveries import Deliveries, Delivery
from notification.channels.webhook.endpoints import Changes, Endpoints
from notification.channels.webhook.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    EndpointNotFound,
    StillWaiting,
    TooManyTests,
    UnknownCursor,
)
from notification.channels.webhook.queue import (
    Dead,
    Delivered,
    DeliveryQueue,
    Failed,
    Gone,
    Job,
    Lease,
    PutOff,
)
from tests.unit.notification.webhooks.conftest import Clock

URL = "https://hooks.example.com/muster"
HOUR = 3600 * 1000


@pytest.fixture
def endpoint(endpoints: Endpoints) -> str:
    return endpoints.add("ana", URL, "").id


def listed(deliveries: Deliveries, endpoint: str) -> list[Delivery]:
    return list(deliveries.list("ana", endpoint, None, 100).deliveries)


def take(queue: DeliveryQueue, *, failing: bool = False) -> tuple[Lease, Job]:
    (due,) = queue.due(9, failing=failing)
    lease = queue.lease(due)
    assert lease is not None
    job = queue.next(lease)
    assert job is not None
    return lease, job


def test_a_message_that_comes_again_enters_none_twice(
    endpoints: Endpoints, deliveries: Deliveries, endpoint: str
) -> None:
    endpoints.add("ana", f"{URL}/2", "")
    endpoints.add("bob", URL, "")
    assert [deliveries.enter_finished("ana", "upload-1") for _ in range(2)] == [2, 0]
    (delivery,) = listed(deliveries, endpoint)
    assert (delivery.upload, delivery.state, delivery.attempts) == ("upload-1", "waiting", 0)
    assert deliveries.enter_finished("eve", "upload-2") == 0


def test_an_endpoint_is_leased_once_at_a_time(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    for number in range(3):
        deliveries.enter_finished("ana", f"upload-{number}")
    (due,) = queue.due(9, failing=False)
    lease = queue.lease(due)
    assert lease is not None
    assert queue.lease(due) is None
    assert queue.due(9, failing=False) == []
    job = queue.next(lease)
    while job is not None:
        job = queue.settle(lease, job, Delivered(200))
    queue.release(lease)
    assert [(each.state, each.status) for each in listed(deliveries, endpoint)] == [
        ("delivered", 200)
    ] * 3
    assert queue.due(9, failing=False) == []


def test_what_a_killed_process_was_sending_is_sent_again_by_the_same_id(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    deliveries.enter_finished("ana", "upload-1")
    late, job = take(queue)
    clock.now += 61_000
    lease, again = take(queue)
    assert again.delivery_id == job.delivery_id
    # The one before was frozen, and has nothing to say any more.
    assert queue.settle(late, job, Dead("late")) is None
    queue.release(late)
    assert queue.settle(lease, again, Delivered(204)) is None
    assert listed(deliveries, endpoint)[0].state == "delivered"


def test_an_endpoint_that_fails_rests_and_each_delivery_waits_longer(
    deliveries: Deliveries, queue: DeliveryQueue, endpoints: Endpoints, endpoint: str, clock: Clock
) -> None:
    deliveries.enter_finished("ana", "upload-1")
    waits = []
    for attempt in range(12):
        lease, job = take(queue, failing=attempt > 0)
        assert queue.settle(lease, job, Failed("it answered 500", 500)) is None
        (delivery,) = listed(deliveries, endpoint)
        assert delivery.next_at is not None
        assert (delivery.attempts, delivery.status) == (attempt + 1, 500)
        waits.append((delivery.next_at - clock.now) / 1000)
        assert queue.due(9, failing=True) == []
        clock.now += 2 * HOUR
    for wait, middle in zip(waits, [5, 10, 20, 40, 80, 160, 320, 640], strict=False):
        assert 0.75 * middle <= wait <= 1.25 * middle
    assert max(waits) <= 1.25 * 3600
    assert len(set(waits)) == len(waits)
    failing = endpoints.get("ana", endpoint)
    assert failing.failing_since is not None
    assert failing.reason == "it answered 500"
    lease, job = take(queue, failing=True)
    queue.settle(lease, job, Delivered(200))
    queue.release(lease)
    assert endpoints.get("ana", endpoint).failing_since is None


def test_a_slow_failure_rests_in_proportion(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    for number in range(2):
        deliveries.enter_finished("ana", f"upload-{number}")
    lease, job = take(queue)
    queue.settle(lease, job, Failed("no answer", None, seconds=15))
    clock.now += 40_000
    assert queue.due(9, failing=True) == []
    clock.now += 40_000
    assert len(queue.due(9, failing=True)) == 1


def test_what_is_new_does_not_wake_an_endpoint_that_rests(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str
) -> None:
    deliveries.enter_finished("ana", "upload-1")
    lease, job = take(queue)
    queue.settle(lease, job, Failed("no answer", None))
    deliveries.enter_finished("ana", "upload-2")
    assert queue.due(9, failing=True) == []


def test_after_three_days_it_is_dead_and_says_why(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    for number in range(2):
        deliveries.enter_finished("ana", f"upload-{number}")
    lease, job = take(queue)
    queue.settle(lease, job, Failed("no answer within 15 seconds"))
    clock.now += 72 * HOUR - 1
    assert deliveries.give_up() == 0
    clock.now += 1
    assert deliveries.give_up() == 2
    for delivery in listed(deliveries, endpoint):
        assert delivery.state == "dead"
        assert delivery.reason == (
            "not delivered within three days; last: no answer within 15 seconds"
        )
    assert deliveries.backlog() == (0, None)


def test_410_disables_the_endpoint_and_buries_what_waits(
    deliveries: Deliveries, queue: DeliveryQueue, endpoints: Endpoints, endpoint: str
) -> None:
    for number in range(3):
        deliveries.enter_finished("ana", f"upload-{number}")
    lease, job = take(queue)
    assert queue.settle(lease, job, Gone(410)) is None
    gone = "the endpoint answered 410 Gone"
    assert [(each.state, each.reason) for each in listed(deliveries, endpoint)] == [
        ("dead", gone)
    ] * 3
    disabled = endpoints.get("ana", endpoint)
    assert (disabled.enabled, disabled.reason) == (False, gone)
    with pytest.raises(EndpointDisabled):
        deliveries.test("ana", endpoint)
    with pytest.raises(EndpointDisabled):
        deliveries.replay("ana", endpoint, job.delivery_id)


def test_what_is_put_off_is_no_attempt(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    deliveries.enter_finished("ana", "upload-1")
    lease, job = take(queue)
    assert queue.settle(lease, job, PutOff()) is None
    assert listed(deliveries, endpoint)[0].attempts == 0
    clock.now += 6000
    take(queue)


def test_a_delivery_is_replayed_by_its_id_with_three_days_more(
    deliveries: Deliveries, queue: DeliveryQueue, endpoint: str, clock: Clock
) -> None:
    deliveries.enter_finished("ana", "upload-1")
    lease, job = take(queue)
    with pytest.raises(StillWaiting):
        deliveries.replay("ana", endpoint, job.delivery_id)
    queue.settle(lease, job, Dead("forbidden"))
    queue.release(lease)
    clock.now += 80 * HOUR
    again = deliveries.replay("ana", endpoint, job.delivery_id)
    assert (again.id, again.state, again.attempts) == (job.delivery_id, "waiting", 0)
    assert deliveries.give_up() == 0
    assert take(queue)[1].delivery_id == job.delivery_id
    with pytest.raises(DeliveryNotFound):
        deliveries.replay("ana", endpoint, "msg_" + 32 * "0")
    with pytest.raises(EndpointNotFound):
        deliveries.replay("bob", endpoint, job.delivery_id)


def test_tests_are_few_a_minute(
    deliveries: Deliveries, endpoint: str, endpoints: Endpoints, clock: Clock
) -> None:
    for _ in range(10):
        assert deliveries.test("ana", endpoint).event == "webhook.test"
    with pytest.raises(TooManyTests):
        deliveries.test("ana", endpoint)
    clock.now += 61_000
    deliveries.test("ana", endpoint)
    with pytest.raises(EndpointNotFound):
        deliveries.test("bob", endpoint)


def test_pages_go_through_all_newest_first(
    deliveries: Deliveries, endpoint: str, clock: Clock
) -> None:
    for number in range(7):
        clock.now += number % 2
        deliveries.enter_finished("ana", f"upload-{number}")
    found: list[Delivery] = []
    cursor = None
    while True:
        page = deliveries.list("ana", endpoint, cursor, 3)
        found += page.deliveries
        cursor = page.next
        if cursor is None:
            break
    assert len({each.id for each in found}) == 7
    assert [each.created_at for each in found] == sorted(
        (each.created_at for each in found), reverse=True
    )
    with pytest.raises(UnknownCursor):
        deliveries.list("ana", endpoint, "x", 3)


def test_what_ended_is_forgotten_after_thirty_days_in_batches(
    deliveries: Deliveries,
    queue: DeliveryQueue,
    endpoint: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
) -> None:
    monkeypatch.setattr("notification.channels.webhook.deliveries.BATCH", 2)
    for number in range(3):
        deliveries.enter_finished("ana", f"upload-{number}")
    lease, job = take(queue)
    following: Job | None = job
    while following is not None:
        following = queue.settle(lease, following, Delivered(200))
    queue.release(lease)
    clock.now += int(timedelta(days=30) / timedelta(milliseconds=1))
    deliveries.enter_finished("ana", "upload-9")
    assert deliveries.forget() == 0
    clock.now += 1
    assert [deliveries.forget() for _ in range(3)] == [2, 1, 0]
    assert [each.upload for each in listed(deliveries, endpoint)] == ["upload-9"]


def test_disabled_ones_are_not_called(
    endpoints: Endpoints, deliveries: Deliveries, queue: DeliveryQueue, endpoint: str
) -> None:
    endpoints.change("ana", endpoint, Changes(enabled=False))
    assert deliveries.enter_finished("ana", "upload-1") == 0
    assert queue.due(9, failing=False) == []
