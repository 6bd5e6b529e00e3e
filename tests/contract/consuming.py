"""Consumers for the broker's tests."""

import threading
import time
from collections.abc import Callable
from typing import Self

from muster.broker import Ack, Broker, BrokerUnavailable, Delivery, Unroutable, Verdict
from tests.waiting import DEADLINE_SECONDS


def acknowledge(_delivery: Delivery) -> Verdict:
    return Ack()


def consume(
    broker: Broker,
    count: int,
    handle: Callable[[Delivery], Verdict] = acknowledge,
    queue: str = "dbuploader",
) -> list[Delivery]:
    """What is handed over until `count` messages were; fails when they don't come."""
    deliveries: list[Delivery] = []
    stop = threading.Event()
    deadline = time.monotonic() + DEADLINE_SECONDS

    def note(delivery: Delivery) -> Verdict:
        deliveries.append(delivery)
        if len(deliveries) == count:
            stop.set()
        return handle(delivery)

    def tick() -> None:
        in_time = len(deliveries) >= count or time.monotonic() < deadline
        assert in_time, f"only {len(deliveries)} of {count} messages came"

    broker.consume(queue, note, stop=stop, tick=tick)
    return deliveries


class Background:
    """A consumer in a thread, for as long as the `with` block lasts."""

    def __init__(
        self,
        broker: Broker,
        handle: Callable[[Delivery], Verdict] = acknowledge,
        queue: str = "dbuploader",
    ) -> None:
        self._queue = queue
        self.deliveries: list[Delivery] = []
        self.ticked_at: list[float] = []
        self.tick_threads: set[int] = set()
        self.stop = threading.Event()
        self._broker = broker
        self._handle = handle
        self.thread = threading.Thread(target=self._run)

    @property
    def ticks(self) -> int:
        return len(self.ticked_at)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop.set()
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive(), "the consumer did not stop"

    def _run(self) -> None:
        self._broker.consume(self._queue, self._note, stop=self.stop, tick=self._tick)

    def _note(self, delivery: Delivery) -> Verdict:
        self.deliveries.append(delivery)
        return self._handle(delivery)

    def _tick(self) -> None:
        self.ticked_at.append(time.monotonic())
        self.tick_threads.add(threading.get_ident())


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    return [delivery.body for delivery in deliveries]


def publish(broker: Broker, *texts: bytes) -> None:
    for text in texts:
        broker.publish("upload.accepted", text, {})


def is_published(broker: Broker, text: bytes) -> bool:
    """Whether the broker takes the message now."""
    try:
        publish(broker, text)
    except (BrokerUnavailable, Unroutable):
        return False
    return True
