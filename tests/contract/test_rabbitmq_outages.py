"""A RabbitMQ node that dies or hangs is unavailable until it is back, and nothing is lost by it."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from pika import BlockingConnection, URLParameters

from muster.broker import Ack, Broker, BrokerUnavailable, Delivery, Verdict, open_broker
from tests.contract.consuming import Background, bodies, consume, is_published, publish
from tests.servers.rabbitmq import RabbitServer
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("rabbitmq-node")


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}."


@pytest.fixture
def broker(rabbitmq_node: RabbitServer, prefix: str) -> Iterator[Broker]:
    with closing(open_broker(rabbitmq_node.url(prefix=prefix, deadline_seconds="60"))) as broker:
        yield broker


@pytest.fixture
def impatient(rabbitmq_node: RabbitServer, prefix: str) -> Iterator[Broker]:
    """The same broker, which a node that is only slow may miss the deadline of, too."""
    with closing(open_broker(rabbitmq_node.url(prefix=prefix, deadline_seconds="1"))) as broker:
        yield broker


def test_the_death_of_the_node_ends_no_consumer_and_loses_no_confirmed_message(
    rabbitmq_node: RabbitServer, broker: Broker, prefix: str
) -> None:
    publish(broker, b"a", b"b", b"c")
    url = rabbitmq_node.url(prefix=f"consumed.{prefix}", deadline_seconds="60")
    with closing(open_broker(url)) as consumed, Background(consumed) as consumer:
        publish(consumed, b"a")
        eventually(lambda: bodies(consumer.deliveries) == [b"a"])
        rabbitmq_node.kill()
        before = consumer.ticks
        eventually(lambda: consumer.ticks >= before + 3)
        with pytest.raises(BrokerUnavailable):
            publish(broker, b"lost")
        rabbitmq_node.start()
        eventually(lambda: is_published(consumed, b"b"))
        eventually(lambda: bodies(consumer.deliveries)[-1] == b"b")
    eventually(lambda: is_published(broker, b"d"))
    received = bodies(consume(broker, 4))
    assert (received[:3], received[-1]) == ([b"a", b"b", b"c"], b"d")


@pytest.fixture
def paused(rabbitmq_node: RabbitServer, impatient: Broker) -> Iterator[RabbitServer]:
    """The node, hanging, with a connection of the impatient broker."""
    eventually(lambda: is_published(impatient, b"a"))
    rabbitmq_node.pause()
    yield rabbitmq_node
    rabbitmq_node.resume()
    # A node that was away for longer drops its connections: the next test begins without that.
    eventually(lambda: is_published(impatient, b"last"))


@pytest.mark.usefixtures("paused")
def test_a_node_that_hangs_is_unavailable_within_the_deadline(impatient: Broker) -> None:
    calls: list[Callable[[], None]] = [lambda: publish(impatient, b"b"), impatient.check]
    for call in calls:
        started = time.monotonic()
        # By itself the connection would end after a minute without a heartbeat.
        with pytest.raises(BrokerUnavailable, match="no answer in 1 seconds"):
            call()
        assert time.monotonic() - started < 30


def test_a_message_given_up_before_it_was_sent_is_not_sent_later(
    rabbitmq_node: RabbitServer, impatient: Broker
) -> None:
    rabbitmq_node.pause()
    with pytest.raises(BrokerUnavailable):
        publish(impatient, b"given up")
    rabbitmq_node.resume()
    eventually(lambda: is_published(impatient, b"b"))
    assert bodies(consume(impatient, 1)) == [b"b"]


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
    rabbitmq_node: RabbitServer, broker: Broker, impatient: Broker
) -> None:
    publish(broker, b"a")
    rabbitmq_node.pause()
    with Background(impatient) as consumer:
        # Longer than connecting may take.
        eventually(lambda: consumer.ticks >= 4)
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
        rabbitmq_node.evaluate('rabbit_networking:close_all_connections("maintenance")')
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


def outlive(broker: Broker, seconds: float) -> bool:
    """Whether its connections bear an idle time and a handler that take so long.

    Where one does not, BrokerUnavailable may be raised.
    """

    def outlast() -> None:
        until = time.monotonic() + seconds
        eventually(lambda: time.monotonic() > until)

    def handle(delivery: Delivery) -> Verdict:
        if delivery.body == b"a":
            outlast()
        return Ack()

    with Background(broker, handle) as consumer:
        publish(broker, b"a")
        outlast()
        publish(broker, b"b")
        eventually(lambda: b"b" in bodies(consumer.deliveries))
    eventually(lambda: broker.depth("dbuploader").waiting == 0)
    return [(it.body, it.attempt) for it in consumer.deliveries] == [(b"a", 1), (b"b", 1)]


def test_connections_outlive_idle_time_and_a_handler_that_takes_long(
    rabbitmq_node: RabbitServer,
) -> None:
    def bears(heartbeat: int) -> bool:
        options = {"heartbeat": str(heartbeat), "prefix": f"{uuid.uuid4().hex}."}
        with (
            closing(open_broker(rabbitmq_node.url(**options, deadline_seconds="60"))) as hasty,
            suppress(BrokerUnavailable),
        ):
            return outlive(hasty, 3 * heartbeat)
        return False

    # A stall of the machine for two heartbeats breaks a connection: slower ones have to bear that.
    assert any(bears(heartbeat) for heartbeat in (1, 3, 9))
