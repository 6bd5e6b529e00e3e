"""A RabbitMQ node that dies or hangs is unavailable until it is back, and nothing is lost by it."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pika import BlockingConnection, URLParameters

from muster.broker import Ack, Broker, BrokerUnavailable, Delivery, Unroutable, Verdict, open_broker
from tests.contract.consuming import Background, bodies, consume, publish
from tests.contract.waiting import eventually
from tests.servers.rabbitmq import RabbitServer

pytestmark = pytest.mark.xdist_group("rabbitmq-node")


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}."


@pytest.fixture
def broker(rabbitmq_node: RabbitServer, prefix: str) -> Iterator[Broker]:
    with closing(open_broker(rabbitmq_node.url(prefix=prefix, deadline_seconds="3"))) as broker:
        yield broker


def is_published(broker: Broker, text: bytes) -> bool:
    try:
        publish(broker, text)
    except (BrokerUnavailable, Unroutable):
        return False
    return True


def test_confirmed_messages_survive_the_death_of_the_node(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    publish(broker, b"a", b"b", b"c")
    rabbitmq_node.kill()
    with pytest.raises(BrokerUnavailable):
        publish(broker, b"lost")
    rabbitmq_node.start()
    eventually(lambda: is_published(broker, b"d"))
    received = bodies(consume(broker, 4))
    assert (received[:3], received[-1]) == ([b"a", b"b", b"c"], b"d")


def test_a_consumer_ticks_through_the_death_of_its_node_and_goes_on(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    with Background(broker) as consumer:
        publish(broker, b"a")
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])
        rabbitmq_node.kill()
        before = consumer.ticks
        eventually(lambda: consumer.ticks >= before + 3)
        rabbitmq_node.start()
        eventually(lambda: is_published(broker, b"b"))
        eventually(lambda: bodies(consumer.deliveries)[-1] == b"b")


@pytest.fixture
def paused(rabbitmq_node: RabbitServer, broker: Broker) -> Iterator[RabbitServer]:
    publish(broker, b"a")
    rabbitmq_node.pause()
    yield rabbitmq_node
    rabbitmq_node.resume()
    # A node that was away for longer drops its connections: the next test begins without that.
    eventually(lambda: is_published(broker, b"last"))


@pytest.mark.usefixtures("paused")
def test_a_node_that_hangs_is_unavailable_within_the_deadline(broker: Broker) -> None:
    calls: list[Callable[[], None]] = [lambda: publish(broker, b"b"), broker.check]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="no answer in 3 seconds"):
            call()
        assert time.monotonic() - started < 5


def test_a_message_given_up_before_it_was_sent_is_not_sent_later(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    rabbitmq_node.pause()
    with pytest.raises(BrokerUnavailable):
        publish(broker, b"given up")
    rabbitmq_node.resume()
    eventually(lambda: is_published(broker, b"b"))
    assert bodies(consume(broker, 1)) == [b"b"]


def test_a_consumer_ticks_on_while_its_node_hangs_and_goes_on_after(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    with Background(broker) as consumer:
        publish(broker, b"a")
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])
        rabbitmq_node.pause()
        before = consumer.ticks
        eventually(lambda: consumer.ticks >= before + 3)
        rabbitmq_node.resume()
        eventually(lambda: is_published(broker, b"b"))
        eventually(lambda: bodies(consumer.deliveries)[-1] == b"b")


def test_a_consumer_that_starts_while_its_node_hangs_begins_once_it_answers(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    publish(broker, b"a")
    rabbitmq_node.pause()
    with Background(broker) as consumer:
        # Longer than connecting may take.
        eventually(lambda: consumer.ticks >= 8)
        rabbitmq_node.resume()
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])


def test_a_consumer_stops_while_its_node_hangs_and_the_message_is_kept(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    publish(broker, b"a")

    def handle(_delivery: Delivery) -> Verdict:
        rabbitmq_node.pause()
        consumer.stop.set()
        return Ack()

    with Background(broker, handle) as consumer:
        eventually(lambda: len(consumer.deliveries) == 1)
    rabbitmq_node.resume()
    assert bodies(consume(broker, 1)) == [b"a"]


def test_a_consumer_whose_connection_is_closed_by_an_operator_goes_on(
    rabbitmq_node: RabbitServer, broker: Broker
) -> None:
    with Background(broker) as consumer:
        publish(broker, b"a")
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])
        rabbitmq_node.control("close_all_connections", "maintenance")
        eventually(lambda: is_published(broker, b"b"))
        eventually(lambda: bodies(consumer.deliveries)[-1] == b"b")


def test_a_consumer_whose_queue_is_deleted_declares_it_again(
    rabbitmq_node: RabbitServer, broker: Broker, prefix: str
) -> None:
    with Background(broker) as consumer:
        publish(broker, b"a")
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])
        with closing(BlockingConnection(URLParameters(rabbitmq_node.url()))) as connection:
            connection.channel().queue_delete(f"{prefix}dbuploader")
        eventually(lambda: is_published(broker, b"b"))
        eventually(lambda: bodies(consumer.deliveries)[-1] == b"b")


@pytest.fixture
def hasty(rabbitmq_node: RabbitServer, prefix: str) -> Iterator[Broker]:
    with closing(open_broker(rabbitmq_node.url(prefix=prefix, heartbeat="1"))) as broker:
        yield broker


def test_connections_outlive_idle_time_and_a_handler_that_takes_long(hasty: Broker) -> None:
    def outlast_three_heartbeats() -> None:
        until = time.monotonic() + 3
        eventually(lambda: time.monotonic() > until)

    def handle(_delivery: Delivery) -> Verdict:
        outlast_three_heartbeats()
        return Ack()

    with Background(hasty, handle) as consumer:
        publish(hasty, b"a")
        outlast_three_heartbeats()
        publish(hasty, b"b")
        eventually(lambda: len(consumer.deliveries) == 2)
    assert [(it.body, it.attempt) for it in consumer.deliveries] == [(b"a", 1), (b"b", 1)]
    assert hasty.depth("dbuploader").waiting == 0
