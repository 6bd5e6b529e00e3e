"""Consuming: the calling thread looks after the connection while another handles the message.

Where many messages wait, each would take as long to be fetched as a small upload to be loaded. So
up to 64 are fetched before they are asked for. Before RabbitMQ 4.3 the server counts a delivery of
each when the process dies, also of those that no handler was given, and has a limit for that.
Therefore a process fetches one by one until it is through with as many as the process before it can
have left: each of these is counted once too often, and never again.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from pika import BlockingConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

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
from muster.broker.rabbitmq.connection import RabbitServer, close, connect, pauses, say, translated
from muster.broker.rabbitmq.topology import (
    Outgoing,
    Received,
    Topology,
    again,
    received,
    to_bury,
    to_retry,
)
from muster.broker.ticker import TICK_SECONDS, Ticker

log = structlog.get_logger(__name__)

PREFETCH = 64


class Subscription:
    """To be used by one thread at a time, but for `wake`. Calls may raise BrokerUnavailable.

    `over` is set once what was taken can no longer be answered.
    """

    def __init__(
        self, server: RabbitServer, connection: BlockingConnection, channel: BlockingChannel
    ) -> None:
        self._server = server
        self._connection = connection
        self._channel = channel
        self._tag = ""
        self._received: deque[Received] = deque()
        self._cancelled = False
        self._cancelling: threading.Thread | None = None
        self.over = threading.Event()

    def start(self, queue: str, prefetch: int) -> None:
        """Ask for the messages of `queue`, so many before the first of them is settled."""
        self._channel.basic_qos(prefetch_count=prefetch)
        self._channel.add_on_cancel_callback(self._on_cancel)
        self._tag = self._channel.basic_consume(queue, self._on_message)

    def serve(self, seconds: float) -> None:
        """Serve heartbeats, and wait up to `seconds` for something to happen."""
        try:
            with translated(self._server):
                self._connection.process_data_events(time_limit=seconds)
            if self._cancelled or not self._channel.is_open:
                raise BrokerUnavailable(f"{self._server}: it has ended the subscription")
        except BrokerUnavailable:
            self.over.set()
            raise

    def wake(self) -> None:
        """End the wait of `serve`; from any thread."""
        with suppress(AMQPError):
            self._connection.add_callback_threadsafe(lambda: None)

    def take(self) -> Received | None:
        """The first message that has come, if one has."""
        return self._received.popleft() if self._received else None

    def cancel(self) -> None:
        """Ask for no further messages."""
        self._cancelling = say(lambda: self._channel.basic_cancel(self._tag))
        if self._cancelling.is_alive():
            raise BrokerUnavailable(f"{self._server}: it does not answer")

    def settle(self, message: Received, *, forget: bool) -> None:
        """Have the broker forget the message, or else give it back to the head of its queue."""
        with translated(self._server):
            if forget:
                self._channel.basic_ack(message.tag)
            else:
                self._channel.basic_nack(message.tag, requeue=True)

    def close(self) -> None:
        """End it: what was not settled goes back to its queue."""
        self.over.set()
        say(self._connection.close, after=self._cancelling)

    def _on_message(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:
        # The channel is the subscription's own, and numbers what it delivers.
        first = method.delivery_tag == 1
        self._received.append(received(method, properties, body, first=first))

    def _on_cancel(self, _frame: object) -> None:
        self._cancelled = True


def subscribe(server: RabbitServer, topology: Topology, queue: str, prefetch: int) -> Subscription:
    """Connect, declare what is missing and subscribe to `queue`; raises BrokerUnavailable."""
    with translated(server):
        connection = connect(server, server.parameters)
        try:
            channel = connection.channel()
            topology.require(topology.queue(queue), topology.declare(channel))
            subscription = Subscription(server, connection, channel)
            subscription.start(topology.queue(queue), prefetch)
        except BaseException:
            close(connection)
            raise
    return subscription


@dataclass
class RabbitConsumer:
    """One call of `Broker.consume`: see there for what it promises."""

    server: RabbitServer
    topology: Topology
    publish: Callable[[Outgoing], None]
    queue: str
    handle: Callable[[Delivery], Verdict]
    stop: threading.Event
    ticker: Ticker
    _one_by_one: int = PREFETCH

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
        prefetch = 1 if self._one_by_one else PREFETCH
        connecting = connector.submit(subscribe, self.server, self.topology, self.queue, prefetch)
        try:
            yield self.ticker.await_result(connecting)
        finally:
            with suppress(BrokerUnavailable):
                connecting.result().close()

    def _work(self, subscription: Subscription, handler: Executor) -> None:
        """Handle what comes, until it is time to stop or to subscribe anew."""
        while not self.stop.is_set():
            received = subscription.take()
            if received is None:
                self._serve(subscription)
                continue
            answering = handler.submit(self._answer, received, subscription)
            answering.add_done_callback(lambda _: subscription.wake())
            self._serve_until(answering, subscription)
            if self.stop.is_set():
                # Else a further message would come, only to be given back and counted.
                subscription.cancel()
            subscription.settle(received, forget=answering.result())
            if self._one_by_one:
                self._one_by_one -= 1
                if not self._one_by_one:
                    return

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
        many stops goes to the end of its queue and is counted anew: better lose its place than it.
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
                self.publish(message)
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
        self.ticker.tick_if_due()
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
