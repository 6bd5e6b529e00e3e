"""The broker port: durable queues between the services.

`upload.accepted` goes to the queue `dbuploader`, `upload.finished` and `email.requested` to
`notification`. Each queue has one active consumer at a time, others stand by, and a dead-letter
queue `NAME.dead`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from muster.adapters import Adapter, load_adapter
from muster.backends.servers import ServerRefused
from muster.weather import Unavailable

ADAPTERS = {
    "sqlite": Adapter("muster.broker.sqlite", "SqliteBroker"),
    "amqp": Adapter("muster.broker.rabbitmq", "RabbitBroker", "rabbitmq"),
    "amqps": Adapter("muster.broker.rabbitmq", "RabbitBroker", "rabbitmq"),
}

BINDINGS: Mapping[str, str] = {
    "upload.accepted": "dbuploader",
    "upload.finished": "notification",
    "email.requested": "notification",
}
"""Routing key to queue."""
QUEUES: Sequence[str] = tuple(dict.fromkeys(BINDINGS.values()))

DELIVERY_LIMIT = 20
"""Deliveries of one message whose handler never answered, before it goes to the dead letters."""


class BrokerUnavailable(Unavailable):
    """The broker did not confirm in time: the message may or may not be queued."""

    awaits = "broker"


class BrokerRefused(ServerRefused, BrokerUnavailable):
    """The server is too old; every new connection checks again."""


class Unroutable(Unavailable):
    """No queue is bound to the routing key: until one is, the message must not be lost."""

    awaits = "broker"


class Publication(NamedTuple):
    """A message to be published."""

    routing_key: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """A message handed to a consumer.

    `attempt` counts from 1 how often a handler was given it, over every `Retry` with a delay; one
    that was given back at once does not count. It is the `first` since this consumer became the
    active one: the one before may still be at work, or frozen.
    """

    routing_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1
    first: bool = False


@dataclass(frozen=True)
class Ack:
    """Done with: the message may be forgotten."""


@dataclass(frozen=True)
class Retry:
    """Give it back, to be delivered again no sooner than in `after` seconds.

    With 0 it keeps its place at the head; otherwise messages behind it go first.
    """

    after: float = 0


@dataclass(frozen=True)
class DeadLetter:
    """No retry will help: keep it in the dead-letter queue with `reason`."""

    reason: str


Verdict = Ack | Retry | DeadLetter


@dataclass(frozen=True)
class DeadMessage:
    """A dead letter: the message as it would be delivered, and why and when it ended (UTC)."""

    delivery: Delivery
    reason: str
    died_at: datetime


@dataclass(frozen=True)
class QueueDepth:
    """Messages waiting, and dead letters. What a consumer has fetched may be among the waiting."""

    waiting: int
    dead: int


class Broker(Protocol):
    """A connection to the broker; safe to share between threads."""

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is durably queued.

        Raises BrokerUnavailable (within a deadline) or Unroutable.
        """

    def publish_each(self, publications: Sequence[Publication]) -> None:
        """Return once all of the messages are durably queued, in this order.

        Raises as `publish` does: then some may be.
        """

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Hand over the messages of `queue` one at a time, oldest first, until `stop` is set.

        `handle` runs in a thread of its own. `tick` is called from the calling thread at least once
        a second, also while `handle` runs or this consumer stands by. A message is forgotten only
        after `handle` returned Ack; when the process dies first it is delivered again, to whichever
        consumer is active then. An exception out of `handle` or `tick` ends the consumer and is
        raised here; the message stays queued. Connections are made again for as long as it takes.
        """

    def depth(self, queue: str) -> QueueDepth:
        """How many messages `queue` holds, or held a moment ago. Raises BrokerUnavailable."""

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`, which stay there.

        Raises BrokerUnavailable.
        """

    def replay_dead_letters(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end; returns how many they were.

        None is lost when this breaks off; one may then be there twice. Raises BrokerUnavailable.
        """

    def check(self) -> None:
        """Return if the broker answers; raises BrokerUnavailable."""

    def close(self) -> None:
        """Give up connections. The broker can't be used afterwards."""


def open_broker(url: str) -> Broker:
    """The broker at `url`; connects at first use. Raises ConfigurationError."""
    broker: Broker = load_adapter("broker", url, ADAPTERS)(url)
    return broker
