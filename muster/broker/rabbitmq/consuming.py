"""Consuming: the calling thread looks after the connection while another handles the message."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from muster.broker import (
    DELIVERY_LIMIT,
    Ack,
    BrokerUnavailable,
    DeadLetter,
    Delivery,
    Retry,
    Unroutable,
    Verdict,
)
from muster.broker.rabbitmq.connecting import pauses
from muster.broker.rabbitmq.envelope import Outgoing, Received, again, to_bury, to_retry
from muster.broker.rabbitmq.publishing import Publisher
from muster.broker.rabbitmq.server import RabbitServer
from muster.broker.rabbitmq.subscription import Subscription, subscribe
from muster.broker.rabbitmq.topology import Topology
from muster.broker.ticker import TICK_SECONDS, Ticker
from muster.crashpoints import Point, crash_point

log = structlog.get_logger(__name__)


@dataclass
class Consumer:
    """One call of `Broker.consume`: see there for what it promises."""

    server: RabbitServer
    topology: Topology
    publisher: Publisher
    queue: str
    handle: Callable[[Delivery], Verdict]
    stop: threading.Event
    ticker: Ticker

    def run(self) -> None:
        """Consume until `stop` is set, connecting again for as long as it takes."""
        waits = pauses()
        with ThreadPoolExecutor(1) as connector, ThreadPoolExecutor(1) as handler:
            while not self.stop.is_set():
                try:
                    with self._subscribed(connector) as subscription:
                        log.info("consuming", queue=self.queue)
                        waits = pauses()
                        self._work(subscription, handler)
                except BrokerUnavailable as error:
                    log.warning("broker unavailable", queue=self.queue, error=str(error))
                    self._rest(next(waits))

    @contextmanager
    def _subscribed(self, connector: Executor) -> Iterator[Subscription]:
        # In another thread, for connecting to a server that hangs takes longer than a tick.
        connecting = connector.submit(subscribe, self.server, self.topology, self.queue)
        try:
            yield self.ticker.await_result(connecting)
        finally:
            with suppress(BrokerUnavailable):
                connecting.result().close()

    def _work(self, subscription: Subscription, handler: Executor) -> None:
        while not self.stop.is_set():
            self._serve(subscription)
            received = subscription.take()
            if received is not None:
                answering = handler.submit(self._answer, received, subscription)
                answering.add_done_callback(lambda _: subscription.wake())
                self._serve_until(answering, subscription)
                if self.stop.is_set():
                    # Else a further message would come, only to be given back and counted.
                    subscription.cancel()
                subscription.settle(received, forget=answering.result())
                crash_point(Point.RABBITMQ_MESSAGE_SETTLED)

    def _answer(self, received: Received, subscription: Subscription) -> bool:
        """Whether the message is done with here; otherwise it is to be given back."""
        delivery = received.delivery
        if received.deliveries >= DELIVERY_LIMIT:
            return self._bury(
                delivery, f"delivered {DELIVERY_LIMIT} times, no answer", subscription
            )
        # After Retry(0) it would come back to this consumer at once, and RabbitMQ 4.0 counts that.
        while not (self.stop.is_set() or subscription.over.is_set()):
            match self.handle(delivery):
                case Ack():
                    return True
                case DeadLetter(reason):
                    return self._bury(delivery, reason, subscription)
                case Retry(after) if after > 0:
                    retry = to_retry(self.topology.retry(self.queue, after), delivery, after)
                    return self._move(retry, subscription)
        return self._spare(received, subscription)

    def _spare(self, received: Received, subscription: Subscription) -> bool:
        """As _answer, for a message to be given back.

        Before RabbitMQ 4.3 each return counts towards the delivery limit: one that was returned by
        many a stop goes to the end of its queue and is counted anew. Rather its place than itself.
        """
        if received.deliveries < DELIVERY_LIMIT // 2 or subscription.over.is_set():
            return False
        copy = again(self.topology.queue(self.queue), received.delivery, received.attempts)
        return self._move(copy, subscription)

    def _bury(self, delivery: Delivery, reason: str, subscription: Subscription) -> bool:
        letter = to_bury(self.topology.dead(self.queue), delivery, reason)
        return self._move(letter, subscription)

    def _move(self, message: Outgoing, subscription: Subscription) -> bool:
        """Whether the message is kept elsewhere, so that it may be forgotten here."""
        for seconds in pauses():
            try:
                self.publisher.publish(message)
                crash_point(Point.RABBITMQ_MESSAGE_MOVED)
                return True
            except (BrokerUnavailable, Unroutable) as error:
                log.warning("message not moved", to=message.routing_key, error=str(error))
            if self.stop.is_set() or subscription.over.wait(seconds):
                break
        return False

    def _serve(self, subscription: Subscription) -> None:
        subscription.serve(TICK_SECONDS)
        self.ticker.tick_if_due()

    def _serve_until(self, answering: "Future[bool]", subscription: Subscription) -> None:
        try:
            while not answering.done():
                self._serve(subscription)
        except BrokerUnavailable:
            # The message will be delivered again; not before this handler is done with it.
            self.ticker.await_result(answering)
            raise

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stop.is_set() and (left := until - time.monotonic()) > 0:
            self.ticker.tick_if_due()
            self.stop.wait(min(left, TICK_SECONDS))
