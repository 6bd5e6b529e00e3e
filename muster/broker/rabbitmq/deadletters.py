"""Reading a dead-letter queue message by message."""

import time
from collections.abc import Iterator
from typing import Any

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

from muster.broker.rabbitmq.topology import Topology

_POLL_SECONDS = 0.01
_LONGEST_RETURN_SECONDS = 2.0


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


def give_back(channel: BlockingChannel, name: str, count: int) -> None:
    """Close the channel, over which `count` messages of the queue `name` were taken.

    They go back to their places, and can't be listed or replayed for a moment: wait for that.
    """
    others = _ready(channel, name)
    # To give each back by itself would change their order.
    channel.close()
    watching = channel.connection.channel()
    deadline = time.monotonic() + _LONGEST_RETURN_SECONDS
    while _ready(watching, name) < others + count and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _ready(channel: BlockingChannel, name: str) -> int:
    return int(channel.queue_declare(name, passive=True).method.message_count)
