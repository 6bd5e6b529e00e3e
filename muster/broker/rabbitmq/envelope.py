"""What a message carries beside its body: the routing key as its type, and headers."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pika import BasicProperties, DeliveryMode

from muster.broker import DeadMessage, Delivery

_ATTEMPTS = "muster-attempts"
_REASON = "muster-reason"
_DELIVERIES = "x-delivery-count"
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
    headers = {**delivery.headers, _REASON: reason}
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
    """What came in these frames, with the message as a handler sees it."""
    headers: Mapping[str, Any] = properties.headers or {}
    deliveries, attempts = int(headers.get(_DELIVERIES, 0)), int(headers.get(_ATTEMPTS, 0))
    delivery = Delivery(
        routing_key=properties.type or method.routing_key,
        body=body,
        headers={
            name: value
            for name, value in headers.items()
            if isinstance(value, str) and not name.startswith(_NOT_THE_PUBLISHERS)
        },
        attempt=attempts + deliveries + 1,
        first=first,
    )
    return Received(method.delivery_tag, delivery, deliveries, attempts)


def dead_letter_of(method: Any, properties: BasicProperties, body: bytes) -> DeadMessage:
    """A message of a dead-letter queue. Where the broker ended it, the broker says why."""
    headers: Mapping[str, Any] = properties.headers or {}
    death: Mapping[str, Any] = next(iter(headers.get("x-death") or ()), {})
    buried_at = datetime.fromtimestamp(properties.timestamp or 0, UTC)
    return DeadMessage(
        delivery=received(method, properties, body).delivery,
        reason=str(headers.get(_REASON) or death.get("reason") or "unknown"),
        died_at=death["time"].replace(tzinfo=UTC) if "time" in death else buried_at,
    )


def _properties(routing_key: str, headers: Mapping[str, Any]) -> BasicProperties:
    return BasicProperties(
        content_type="application/json",
        type=routing_key,
        message_id=uuid.uuid4().hex,
        timestamp=int(time.time()),
        delivery_mode=DeliveryMode.Persistent.value,
        headers=dict(headers),
    )
