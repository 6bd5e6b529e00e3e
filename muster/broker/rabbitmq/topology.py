"""The exchange and the queues: declared by whoever comes first, always alike.

For each queue NAME there are `NAME.dead`, the dead letters, and queues `NAME.retry.*`, in which
messages wait until they are due; the broker moves them back. A message waits behind those in front
of it in the same retry queue, so each of them takes a range of delays only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from pika.exchange_type import ExchangeType

from muster.broker import BINDINGS, DELIVERY_LIMIT, QueueDepth

Arguments = Mapping[str, Any]

_QUORUM: Arguments = {"x-queue-type": "quorum"}
# Listing dead letters takes and gives them back, which must never use them up. Not -1, which means
# no limit from RabbitMQ 4.0 but 0 before, where the first return drops the message; nor nothing,
# which means 20 from 4.0. https://github.com/Particular/NServiceBus.RabbitMQ/issues/1828
_UNLIMITED: Arguments = {"x-delivery-limit": 2**31 - 1}
_WEEK_MS = 7 * 24 * 3600 * 1000
_RETRIES = {"10s": 10.0, "100s": 100.0, "long": float("inf")}
"""A retry queue's suffix, and the longest delay in seconds that it is for."""


@dataclass(frozen=True)
class Topology:
    """The names of everything, which begin with `prefix`."""

    prefix: str = ""

    @property
    def exchange(self) -> str:
        """The topic exchange that messages are published to."""
        return f"{self.prefix}muster"

    def queue(self, queue: str) -> str:
        """The queue that consumers take from."""
        return f"{self.prefix}{queue}"

    def dead(self, queue: str) -> str:
        """Where the dead letters of `queue` are kept."""
        return f"{self.prefix}{queue}.dead"

    def retry(self, queue: str, after: float) -> str:
        """Where messages wait that are to return to `queue` in `after` seconds."""
        suffix = next(suffix for suffix, longest in _RETRIES.items() if after <= longest)
        return f"{self.prefix}{queue}.retry.{suffix}"

    def queues(self) -> Iterator[tuple[str, Arguments]]:
        """Every queue with its arguments; those that others send dead letters to come first."""
        for queue in BINDINGS.values():
            yield self.dead(queue), {**_QUORUM, **_UNLIMITED}
            yield self.queue(queue), self._arguments(queue)
            for suffix in _RETRIES:
                arguments = {**_QUORUM, **_UNLIMITED, **_dead_lettering(self.queue(queue))}
                yield f"{self.queue(queue)}.retry.{suffix}", arguments

    def bindings(self) -> Iterator[tuple[str, str]]:
        """Each routing key and its queue."""
        for routing_key, queue in BINDINGS.items():
            yield routing_key, self.queue(queue)

    def declare(self, channel: BlockingChannel) -> Mapping[str, int]:
        """Make what is missing; returns how many messages are ready in each queue.

        Raises ChannelClosedByBroker where something is there with other arguments.
        """
        channel.exchange_declare(self.exchange, ExchangeType.topic, durable=True)
        ready = {
            name: channel.queue_declare(
                name, durable=True, arguments=dict(arguments)
            ).method.message_count
            for name, arguments in self.queues()
        }
        for routing_key, name in self.bindings():
            channel.queue_bind(name, self.exchange, routing_key)
        return ready

    def depth(self, queue: str, ready: Mapping[str, int]) -> QueueDepth:
        """The depth of `queue`, given how many messages are ready in each queue."""
        retrying = sum(ready[f"{self.queue(queue)}.retry.{suffix}"] for suffix in _RETRIES)
        return QueueDepth(ready[self.queue(queue)] + retrying, ready[self.dead(queue)])

    def _arguments(self, queue: str) -> Arguments:
        return {
            **_QUORUM,
            **_dead_lettering(self.dead(queue)),
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            # A load waits for a database as long as it takes; the default is 30 minutes.
            "x-consumer-timeout": _WEEK_MS,
        }


def _dead_lettering(to: str) -> Arguments:
    """At least once: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering."""
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": to,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
