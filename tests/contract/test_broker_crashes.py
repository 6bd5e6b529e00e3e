"""Processes that share a broker, and are killed in the middle of it."""

import random
from contextlib import ExitStack, closing

import pytest

from muster.broker import Broker, BrokerUnavailable, QueueDepth, Unroutable, open_broker
from muster.broker.rabbitmq.consumer import PREFETCH
from tests.contract.children import MOST_STEPS, Child
from tests.contract.consuming import Background, bodies, consume, publish
from tests.waiting import eventually

KILLS = range(2)


def is_published(broker: Broker, text: bytes) -> bool:
    try:
        publish(broker, text)
    except (BrokerUnavailable, Unroutable):
        return False
    return True


@pytest.mark.parametrize("seed", KILLS)
def test_what_a_killed_publisher_saw_confirmed_is_queued_in_order(
    broker: Broker, broker_url: str, seed: int
) -> None:
    with Child("publish", broker_url, "", str(MOST_STEPS)) as publisher:
        confirmed = publisher.lines(random.Random(seed).randrange(1, 60))
        confirmed += publisher.kill()
    queued = broker.depth("dbuploader").waiting
    # One more may be queued whose confirmation was on its way.
    assert queued in {len(confirmed), len(confirmed) + 1}
    assert bodies(consume(broker, queued)) == [b"%d" % number for number in range(queued)]


@pytest.mark.parametrize("seed", KILLS)
def test_a_killed_consumer_loses_nothing(broker: Broker, broker_url: str, seed: int) -> None:
    publish(broker, *(b"%d" % number for number in range(100)))
    with Child("consume", broker_url) as killed:
        handled = killed.lines(random.Random(seed).randrange(1, 60))
        handled += killed.kill()
    publish(broker, b"100")
    with Background(broker) as other:
        eventually(lambda: b"100" in bodies(other.deliveries))
    rest = [int(body) for body in bodies(other.deliveries)]
    assert rest == [*range(rest[0], 101)]
    # Only the one it was handling may come a second time.
    assert len(handled) - rest[0] in {0, 1}


def test_deaths_count_for_what_was_fetched_ahead_once_at_most(
    broker: Broker, broker_url: str
) -> None:
    publish(broker, *(b"%d" % number for number in range(200)))
    # The first comes to fetch ahead; whoever comes after one that died begins one by one.
    for number in (PREFETCH + 6, 3, 3, 3):
        with Child("consume", broker_url) as killed:
            killed.lines(number)
            killed.kill()
    with Background(broker) as last:
        eventually(lambda: b"199" in bodies(last.deliveries))
    # Besides, a message counts when it is in the hands of one that dies.
    assert max(delivery.attempt for delivery in last.deliveries) <= 3
    assert {delivery.attempt for delivery in last.deliveries[PREFETCH + 1 :]} == {1}


def test_a_standby_takes_over_the_message_of_a_killed_consumer(
    broker: Broker, broker_url: str
) -> None:
    publish(broker, b"a", b"b")
    with Child("stick", broker_url) as stuck:
        assert stuck.lines(1) == ["a"]
        with closing(open_broker(broker_url)) as other, Background(other) as standby:
            eventually(lambda: standby.ticks >= 2)
            assert standby.deliveries == []
            stuck.kill()
            eventually(lambda: bodies(standby.deliveries) == [b"a", b"b"])
    assert [delivery.attempt for delivery in standby.deliveries] == [2, 1]
    eventually(lambda: broker.depth("dbuploader") == QueueDepth(waiting=0, dead=0))


def test_a_standby_takes_over_the_message_of_a_frozen_consumer_soon(
    rabbitmq_broker_url: str,
) -> None:
    with (
        closing(open_broker(rabbitmq_broker_url)) as broker,
        Child("stick", rabbitmq_broker_url) as frozen,
    ):
        eventually(lambda: is_published(broker, b"a"))
        assert frozen.lines(1) == ["a"]
        frozen.freeze()
        with Background(broker) as standby:
            # Of the 30 seconds in which a standby takes over, the broker has the most.
            eventually(lambda: bodies(standby.deliveries) == [b"a"], seconds=24)


def test_processes_may_publish_at_once(broker: Broker, broker_url: str) -> None:
    prefixes = ("x", "y")
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child("publish", broker_url, prefix, "30")) for prefix in prefixes
        ]
        for child in children:
            child.lines(30)
    received = bodies(consume(broker, 60))
    for prefix in prefixes:
        mine = [body.decode() for body in received if body.decode().startswith(prefix)]
        assert mine == [f"{prefix}{number}" for number in range(30)]


def test_a_consumer_wakes_up_for_a_publisher_in_another_process(
    broker: Broker, broker_url: str
) -> None:
    with Background(broker) as consumer, Child("publish", broker_url, "", "3"):
        eventually(lambda: bodies(consumer.deliveries) == [b"0", b"1", b"2"])
