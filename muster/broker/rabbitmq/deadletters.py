"""Reading a dead-letter queue message by message."""

from collections.abc import Iterator
from typing import Any

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

from muster.broker.rabbitmq.topology import Topology


def each_dead_letter(
    channel: BlockingChannel, topology: Topology, queue: str
) -> Iterator[tuple[Any, BasicProperties, bytes]]:
    """Method, properties and body of each dead letter that is there now.

    Each stays in its queue unless it is acknowledged: it goes back when the channel is closed.
    """
    name = topology.dead(queue)
    for _ in range(topology.declare(channel)[name]):
        method, properties, body = channel.basic_get(name)
        if method is None or properties is None or body is None:
            return
        yield method, properties, body
