"""The embedded broker: `sqlite:///path`, one durable file that the processes share.

Beside it stand, for each queue, a lock file held by the active consumer and a FIFO to wake it.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from muster.adapters import path_of
from muster.broker import BINDINGS, DeadMessage, Delivery, QueueDepth, Unroutable, Verdict
from muster.broker.sqlite.consuming import Consumer
from muster.broker.sqlite.doorbell import ring
from muster.broker.sqlite.queuefile import QueueFile

_PUBLISH_SECONDS = 10.0
# A consumer that waited longer for a locked file would miss a tick; it tries again anyway.
_CONSUMER_SECONDS = 0.3


class SqliteBroker:
    """A broker without a server."""

    def __init__(self, url: str) -> None:
        self._path = path_of(url)
        self._messages = QueueFile(self._path, _PUBLISH_SECONDS)

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is durably queued; raises BrokerUnavailable or Unroutable."""
        queue = BINDINGS.get(routing_key)
        if queue is None:
            raise Unroutable(f"no queue is bound to {routing_key!r}")
        self._messages.append(queue, routing_key, body, headers)
        ring(self._doorbell(queue))

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Hand over the messages of `queue` one at a time, oldest first, until `stop` is set."""
        with closing(QueueFile(self._path, _CONSUMER_SECONDS)) as messages:
            consumer = Consumer(queue, messages, handle, stop, tick)
            consumer.run(self._beside(queue, "lock"), self._doorbell(queue))

    def depth(self, queue: str) -> QueueDepth:
        """How many messages `queue` holds. Raises BrokerUnavailable."""
        return self._messages.depth(queue)

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`; they stay."""
        return self._messages.dead_letters(queue, limit)

    def replay_dead_letters(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end; returns how many they were."""
        replayed = self._messages.replay(queue)
        ring(self._doorbell(queue))
        return replayed

    def check(self) -> None:
        """Return if the file can be written; raises BrokerUnavailable."""
        self._messages.check()

    def close(self) -> None:
        """Give up the connections."""
        self._messages.close()

    def _doorbell(self, queue: str) -> Path:
        return self._beside(queue, "fifo")

    def _beside(self, queue: str, kind: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{queue}.{kind}")
