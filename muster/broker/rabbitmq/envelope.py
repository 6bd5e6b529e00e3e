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
