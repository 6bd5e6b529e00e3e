"""What is on the server: exchange and queues, and what messages carry beside their bodies.

Every process declares the same exchange and queues, as far as its account may, and the first that
may makes them. What an account may not make is another service's, or an operator's.

For each queue NAME there are `NAME.dead`, the dead letters, and queues `NAME.retry.*`, in which
messages wait until they are due; the broker moves them back. A message waits behind those in front
of it in the same retry queue, so each of them takes a range of delays only. The routing key travels
as the message's type.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from pika.exchange_type import ExchangeType

from muster.broker import (
    BINDINGS,
    DELIVERY_LIMIT,
    QUEUES,
    BrokerUnavailable,
    DeadMessage,
    Delivery,
    QueueDepth,
)

Arguments = Mapping[str, Any]
_Declare = Callable[[BlockingChannel, bool], Any]
_ACCESS_REFUSED, _NOT_FOUND = 403, 404

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
    """The names of everything, which begin with `prefix`.

    `refusals` are what the server said to declarations that this account may not make, by name.
    """

    prefix: str = ""
    refusals: dict[str, str] = field(default_factory=dict)

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
        for queue in QUEUES:
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
        """Make what is missing and may be made; returns how many messages each queue has ready.

        A queue that is missing and may not be made is not among them. Works beside `channel`, over
        its connection. Raises ChannelClosedByBroker where something is there with other arguments.
        """
        declaration = _Declaration(channel, self.refusals)
        declaration.declare(
            self.exchange,
            lambda own, passive: own.exchange_declare(
                self.exchange, ExchangeType.topic, durable=True, passive=passive
            ),
        )
        counted = {
            name: declaration.declare(name, partial(_declare_queue, name, arguments))
            for name, arguments in self.queues()
        }
        for routing_key, name in self.bindings():
            if name not in self.refusals:
                channel.queue_bind(name, self.exchange, routing_key)
        declaration.end()
        return {name: frame.method.message_count for name, frame in counted.items() if frame}

    def require(self, name: str, ready: Mapping[str, int]) -> int:
        """How many messages `name` has ready; raises BrokerUnavailable if it is missing."""
        if name not in ready:
            why = self.refusals.get(name, "it was deleted")
            raise BrokerUnavailable(f"there is no queue {name!r}, and it can't be made: {why}")
        return ready[name]

    def depth(self, queue: str, ready: Mapping[str, int]) -> QueueDepth:
        """The depth of `queue`, given how many messages are ready in each queue.

        Raises BrokerUnavailable if one of its queues is missing.
        """
        retries = (f"{self.queue(queue)}.retry.{suffix}" for suffix in _RETRIES)
        retrying = sum(self.require(name, ready) for name in retries)
        waiting = self.require(self.queue(queue), ready) + retrying
        return QueueDepth(waiting, self.require(self.dead(queue), ready))

    def _arguments(self, queue: str) -> Arguments:
        return {
            **_QUORUM,
            **_dead_lettering(self.dead(queue)),
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            # A load waits for a database as long as it takes; the default is 30 minutes.
            "x-consumer-timeout": _WEEK_MS,
        }


class _Declaration:
    """Declares one thing after another, over channels of its own: a refusal closes one."""

    def __init__(self, channel: BlockingChannel, refusals: dict[str, str]) -> None:
        self._connection = channel.connection
        self._channel = self._connection.channel()
        self._refusals = refusals

    def declare(self, name: str, declare: _Declare) -> Any:
        """The server's answer; None for what is missing and may not be made."""
        if name in self._refusals:
            # Not again, while it is there: the server logs each refusal as an error.
            found = self._try(name, declare, passive=True)
            return found or self._try(name, declare, passive=False)
        made = self._try(name, declare, passive=False)
        return made or self._try(name, declare, passive=True)

    def end(self) -> None:
        """Give up the channel."""
        self._channel.close()

    def _try(self, name: str, declare: _Declare, *, passive: bool) -> Any:
        try:
            made = declare(self._channel, passive)
        except ChannelClosedByBroker as error:
            if error.reply_code == _ACCESS_REFUSED:
                self._refusals[name] = error.reply_text
            elif error.reply_code != _NOT_FOUND or not passive:
                raise
            self._channel = self._connection.channel()
            return None
        if not passive:
            self._refusals.pop(name, None)
        return made


def _declare_queue(name: str, arguments: Arguments, channel: BlockingChannel, passive: bool) -> Any:
    return channel.queue_declare(name, durable=True, arguments=dict(arguments), passive=passive)


def _dead_lettering(to: str) -> Arguments:
    """At least once: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering."""
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": to,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


_ATTEMPTS = "muster-attempts"
_REASON = "muster-reason"
_DELIVERIES = "x-delivery-count"
# The headers of a message go over the wire in one frame, of 128 KiB at most; some are added here.
_MOST_HEADER_BYTES = 32 * 1024
_LONGEST_REASON = 1000
_LONGEST_KEY = 80
_NOT_THE_PUBLISHERS = (
    *("x-death", "x-first-death-", "x-last-death-", _DELIVERIES, "x-acquired-count"),
    *(_ATTEMPTS, _REASON),
)


@dataclass(frozen=True)
class Outgoing:
    """A message on its way to the broker."""

    exchange: str
    routing_key: str
    body: bytes
    properties: BasicProperties

    @property
    def id(self) -> str:
        """What a message that is returned is recognised by."""
        return str(self.properties.message_id)


def to_publish(
    exchange: str, routing_key: str, body: bytes, headers: Mapping[str, str]
) -> Outgoing:
    """A new message, persistent."""
    return Outgoing(exchange, routing_key, body, _properties(routing_key, headers))


def to_retry(queue: str, delivery: Delivery, after: float) -> Outgoing:
    """The delivered message for the retry queue `queue`, to leave it in `after` seconds."""
    headers = {**delivery.headers, _ATTEMPTS: delivery.attempt}
    properties = _properties(delivery.routing_key, headers)
    # Milliseconds, and rounded up: not sooner than asked.
    properties.expiration = str(int(after * 1000) + 1)
    return Outgoing("", queue, delivery.body, properties)


def to_bury(queue: str, delivery: Delivery, reason: str) -> Outgoing:
    """The delivered message for the dead-letter queue `queue`."""
    headers = {**delivery.headers, _REASON: reason[:_LONGEST_REASON]}
    return Outgoing("", queue, delivery.body, _properties(delivery.routing_key, headers))


def again(queue: str, delivery: Delivery, attempts: int = 0) -> Outgoing:
    """The delivered message for the end of `queue`, as if it had had only `attempts`."""
    headers = {**delivery.headers, _ATTEMPTS: attempts}
    return Outgoing("", queue, delivery.body, _properties(delivery.routing_key, headers))


@dataclass(frozen=True)
class Received:
    """A message that came over a channel, where `tag` is its name.

    `deliveries` counts how often it was delivered from its queue before, without an answer, and
    `attempts` those that a Retry with a delay ended.
    """

    tag: int
    delivery: Delivery
    deliveries: int
    attempts: int


def received(
    method: Any, properties: BasicProperties, body: bytes, *, first: bool = False
) -> Received:
    """What came in these frames, with the message as a handler sees it.

    Anybody may have published it: headers that are not what they should be are passed over.
    """
    headers: Mapping[Any, Any] = properties.headers or {}
    deliveries, attempts = _count(headers.get(_DELIVERIES)), _count(headers.get(_ATTEMPTS))
    delivery = Delivery(
        routing_key=_key(properties.type or method.routing_key),
        body=body,
        headers=_of_the_publisher(headers),
        attempt=attempts + deliveries + 1,
        first=first,
    )
    return Received(method.delivery_tag, delivery, deliveries, attempts)


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _key(value: object) -> str:
    # What is no UTF-8 comes as bytes.
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text[:_LONGEST_KEY]


def _of_the_publisher(headers: Mapping[Any, Any]) -> dict[str, str]:
    kept: dict[str, str] = {}
    left = _MOST_HEADER_BYTES
    for name, value in headers.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            continue
        left -= len(name.encode()) + len(value.encode())
        if left >= 0 and not name.startswith(_NOT_THE_PUBLISHERS):
            kept[name] = value
    return kept


def dead_letter_of(method: Any, properties: BasicProperties, body: bytes) -> DeadMessage:
    """A message of a dead-letter queue. Where the broker ended it, the broker says why."""
    headers: Mapping[Any, Any] = properties.headers or {}
    death = _first_death(headers.get("x-death"))
    return DeadMessage(
        delivery=received(method, properties, body).delivery,
        reason=str(headers.get(_REASON) or death.get("reason") or "unknown"),
        died_at=_died_at(death.get("time"), properties.timestamp),
    )


def _first_death(deaths: object) -> Mapping[Any, Any]:
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    return first if isinstance(first, dict) else {}


def _died_at(time: object, buried_at: object) -> datetime:
    if isinstance(time, datetime):
        return time.replace(tzinfo=UTC)
    try:
        return datetime.fromtimestamp(_count(buried_at), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _properties(routing_key: str, headers: Mapping[str, Any]) -> BasicProperties:
    return BasicProperties(
        content_type="application/json",
        type=routing_key,
        message_id=uuid.uuid4().hex,
        timestamp=int(time.time()),
        delivery_mode=DeliveryMode.Persistent.value,
        headers=dict(headers),
    )
