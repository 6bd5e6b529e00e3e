"""RabbitMQ as the broker: `amqp://user:password@host:5672/vhost`, or `amqps://`.

Works alike on RabbitMQ 3.10 to 4.3. All threads of the process publish over one connection, and
each consumer has its own, so that an alarm, which stops publishers, stops no acknowledgement.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from itertools import islice

from muster.broker import DeadMessage, Delivery, QueueDepth, Verdict
from muster.broker.rabbitmq.connecting import blocking_channel
from muster.broker.rabbitmq.consuming import Consumer
from muster.broker.rabbitmq.deadletters import each_dead_letter, give_back
from muster.broker.rabbitmq.envelope import again, dead_letter_of, received, to_publish
from muster.broker.rabbitmq.publishing import Publisher
from muster.broker.rabbitmq.server import RabbitServer
from muster.broker.rabbitmq.topology import Topology
from muster.broker.ticker import Ticker

# What it has to say is said once, in one line, by whoever meets the exception.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class RabbitBroker:
    """A broker on a RabbitMQ server. Raises ConfigurationError."""

    def __init__(self, url: str) -> None:
        self._server = RabbitServer.from_url(url)
        self._topology = Topology(self._server.options.prefix)
        self._publisher = Publisher(self._server, self._topology)

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is durably queued; raises BrokerUnavailable or Unroutable."""
        self._publisher.publish(to_publish(self._topology.exchange, routing_key, body, headers))

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Hand over the messages of `queue` one at a time, oldest first, until `stop` is set."""
        ticker = Ticker(tick)
        Consumer(self._server, self._topology, self._publisher, queue, handle, stop, ticker).run()

    def depth(self, queue: str) -> QueueDepth:
        """How many messages `queue` holds, but for the one being handled."""
        with blocking_channel(self._server) as channel:
            return self._topology.depth(queue, self._topology.declare(channel))

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`; they stay."""
        with blocking_channel(self._server) as channel:
            letters = each_dead_letter(channel, self._topology, queue)
            listed = [dead_letter_of(*letter) for letter in islice(letters, limit)]
            give_back(channel, self._topology.dead(queue), len(listed))
            return listed

    def replay_dead_letters(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end; returns how many they were."""
        replayed = 0
        with blocking_channel(self._server) as channel:
            for method, properties, body in each_dead_letter(channel, self._topology, queue):
                delivery = received(method, properties, body).delivery
                self._publisher.publish(again(self._topology.queue(queue), delivery))
                # Only now: what breaks off in between is there twice, not lost.
                channel.basic_ack(method.delivery_tag)
                replayed += 1
        return replayed

    def check(self) -> None:
        """Return if the broker answers and takes messages; raises BrokerUnavailable."""
        self._publisher.check()

    def close(self) -> None:
        """Give up the publisher's connection."""
        self._publisher.close()
