"""What becomes of a message after each verdict, and without one."""

import time

import pytest

from muster.broker import (
    DELIVERY_LIMIT,
    Ack,
    Broker,
    DeadLetter,
    Delivery,
    QueueDepth,
    Retry,
    Verdict,
)
from tests.contract.consuming import bodies, consume, publish
from tests.waiting import eventually


class HandlerBroke(Exception):
    pass


def break_down(_delivery: Delivery) -> Verdict:
    raise HandlerBroke


def test_a_message_given_back_at_once_keeps_its_place(broker: Broker) -> None:
    publish(broker, b"a", b"b")
    verdicts: list[Verdict] = [Retry(0), Retry(0), Ack(), Ack()]
    deliveries = consume(broker, 4, lambda _delivery: verdicts.pop(0))
    assert bodies(deliveries) == [b"a", b"a", b"a", b"b"]
    assert deliveries[2].attempt == 1


def test_giving_a_message_back_never_makes_it_a_dead_letter(broker: Broker) -> None:
    publish(broker, b"a")
    consume(broker, DELIVERY_LIMIT + 5, lambda _delivery: Retry(0))
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0))


def test_giving_a_message_back_at_each_stop_never_makes_it_a_dead_letter(broker: Broker) -> None:
    publish(broker, b"a")
    for _ in range(DELIVERY_LIMIT + 5):
        assert bodies(consume(broker, 1, lambda _delivery: Retry(0))) == [b"a"]
    assert bodies(consume(broker, 1)) == [b"a"]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=0))


def test_messages_behind_one_to_retry_later_go_first(broker: Broker) -> None:
    publish(broker, b"a", b"b", b"c")
    verdicts: list[Verdict] = [Retry(3600), Ack(), Ack()]
    deliveries = consume(broker, 3, lambda _delivery: verdicts.pop(0))
    assert bodies(deliveries) == [b"a", b"b", b"c"]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0))


def test_a_message_to_retry_later_comes_no_sooner(broker: Broker) -> None:
    publish(broker, b"a")
    times: list[float] = []

    def handle(_delivery: Delivery) -> Verdict:
        times.append(time.monotonic())
        return Retry(0.3) if len(times) == 1 else Ack()

    assert bodies(consume(broker, 2, handle)) == [b"a", b"a"]
    assert times[1] - times[0] >= 0.3


def test_attempts_count_every_retry(broker: Broker) -> None:
    publish(broker, b"a")
    deliveries = consume(broker, DELIVERY_LIMIT + 5, lambda _delivery: Retry(0.001))
    assert [delivery.attempt for delivery in deliveries] == [*range(1, DELIVERY_LIMIT + 6)]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0))


def test_a_dead_letter_lets_those_behind_it_through(broker: Broker) -> None:
    publish(broker, b"poison", b"b")
    deliveries = consume(
        broker, 2, lambda it: DeadLetter("unreadable") if it.body == b"poison" else Ack()
    )
    assert bodies(deliveries) == [b"poison", b"b"]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=1))


def test_an_exception_of_the_handler_ends_the_consumer_and_keeps_the_message(
    broker: Broker,
) -> None:
    publish(broker, b"a", b"b")
    with pytest.raises(HandlerBroke):
        consume(broker, 2, break_down)
    deliveries = consume(broker, 2)
    assert bodies(deliveries) == [b"a", b"b"]
    assert deliveries[0].attempt == 2


def test_a_message_that_is_never_answered_ends_as_a_dead_letter(broker: Broker) -> None:
    publish(broker, b"poison", b"b")
    broke, behind = 0, list[Delivery]()

    def handle(delivery: Delivery) -> Verdict:
        return break_down(delivery) if delivery.body == b"poison" else Ack()

    while not behind:
        try:
            behind = consume(broker, 1, handle)
        except HandlerBroke:
            broke += 1
    assert bodies(behind) == [b"b"]
    assert broke in {DELIVERY_LIMIT, DELIVERY_LIMIT + 1}
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=1))
