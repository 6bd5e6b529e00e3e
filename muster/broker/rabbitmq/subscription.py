"""A consumer's connection and channel, over which messages come one at a time."""

import threading
from contextlib import suppress
from typing import Any

from pika import BlockingConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from muster.broker import BrokerUnavailable
from muster.broker.rabbitmq.connecting import close, connect, say, translated
from muster.broker.rabbitmq.envelope import Received, received
from muster.broker.rabbitmq.server import RabbitServer
from muster.broker.rabbitmq.topology import Topology


class Subscription:
    """To be used by one thread at a time, but for `wake`. Calls may raise BrokerUnavailable.

    `over` is set once what was taken can be answered no more.
    """

    def __init__(
        self, server: RabbitServer, connection: BlockingConnection, channel: BlockingChannel
    ) -> None:
        self._server = server
        self._connection = connection
        self._channel = channel
        self._tag = ""
        self._received: Received | None = None
        self._cancelled = False
        self._cancelling: threading.Thread | None = None
        self.over = threading.Event()

    def start(self, queue: str) -> None:
        """Ask for the messages of `queue`; the next comes when the one before is settled."""
        self._channel.basic_qos(prefetch_count=1)
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
        """The message that has come, if one has."""
        taken, self._received = self._received, None
        return taken

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
        self._received = received(method, properties, body, first=first)

    def _on_cancel(self, _frame: object) -> None:
        self._cancelled = True


def subscribe(server: RabbitServer, topology: Topology, queue: str) -> Subscription:
    """Connect, declare what is missing and subscribe to `queue`; raises BrokerUnavailable."""
    with translated(server):
        connection = connect(server, server.parameters)
        try:
            channel = connection.channel()
            topology.declare(channel)
            subscription = Subscription(server, connection, channel)
            subscription.start(topology.queue(queue))
        except BaseException:
            close(connection)
            raise
    return subscription
