"""A connection for publishing, that a thread of its own looks after.

pika's connections bear one thread only, which has to serve their heartbeats: what other threads
want of it comes through `add_callback_threadsafe`, and the outcome goes back in a Future.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from pika import SelectConnection
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.spec import Basic

from muster.broker import BrokerUnavailable, Unroutable
from muster.broker.rabbitmq.connecting import blocking_channel, reason_of, translated
from muster.broker.rabbitmq.envelope import Outgoing
from muster.broker.rabbitmq.server import RabbitServer
from muster.broker.rabbitmq.topology import Topology


class Session:
    """One connection, from its beginning to its end; what is unanswered then, fails."""

    def __init__(self, server: RabbitServer, topology: Topology) -> None:
        self._server = server
        self._topology = topology
        self._loop = IOLoop()
        self._lock = threading.Lock()
        self._asked: set[Future[None]] = set()
        self.is_over = False
        # The rest is the thread's own.
        self._ending: BrokerUnavailable | None = None
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._when_ready: list[Callable[[], None]] = []
        self._blocked: str | None = None
        self._published = 0
        self._unconfirmed: dict[int, tuple[Outgoing, Future[None]]] = {}
        self._returned: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="rabbitmq-publisher", daemon=True)
        self._thread.start()

    def publish(self, message: Outgoing) -> "Future[None]":
        """Publish the message; the outcome is Unroutable, BrokerUnavailable or that it is kept."""
        return self._ask(partial(self._publish, message))

    def look_up(self) -> "Future[None]":
        """Look the exchange up; the outcome is BrokerUnavailable or that it is there."""
        return self._ask(self._look_up)

    def end(self) -> None:
        """Begin to end the connection."""
        with self._lock:
            if not self.is_over:
                self._loop.add_callback_threadsafe(self._close)

    def close(self) -> None:
        """End the connection."""
        self.end()
        self._thread.join(self._server.options.deadline_seconds)

    def _ask(self, call: Callable[[Channel, "Future[None]"], None]) -> "Future[None]":
        done: Future[None] = Future()
        with self._lock:
            if self.is_over:
                _end(done, self._why_it_ended())
            else:
                self._asked.add(done)
                done.add_done_callback(self._asked.discard)
                self._loop.add_callback_threadsafe(partial(self._do, call, done))
        return done

    def _run(self) -> None:
        try:
            with blocking_channel(self._server) as channel:
                self._topology.declare(channel)
            with translated(self._server):
                self._connection = SelectConnection(
                    self._server.parameters,
                    on_open_callback=self._on_open,
                    on_open_error_callback=self._on_end,
                    on_close_callback=self._on_end,
                    custom_ioloop=self._loop,
                )
                self._loop.start()
        except BrokerUnavailable as error:
            self._ending = error
        finally:
            with self._lock:
                self.is_over = True
            for done in [*self._asked]:
                _end(done, self._why_it_ended())
            self._loop.close()

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=partial(self._on_ready, channel))

    def _on_ready(self, channel: Channel, _frame: object) -> None:
        self._channel = channel
        for call in self._when_ready:
            call()
        self._when_ready.clear()

    def _on_end(self, _connection: object, error: BaseException | str) -> None:
        self._note_ending(error if isinstance(error, str) else reason_of(error))
        self._loop.stop()

    def _on_channel_closed(self, _channel: object, error: Exception) -> None:
        self._note_ending(reason_of(error))
        self._close()

    def _note_ending(self, reason: str) -> None:
        # The first counts: a channel's end says why, and the connection is closed after it.
        self._ending = self._ending or BrokerUnavailable(f"{self._server}: {reason}")

    def _why_it_ended(self) -> BrokerUnavailable:
        return self._ending or BrokerUnavailable(f"{self._server}: the connection was closed")

    def _close(self) -> None:
        # From now on nothing can be published, though the channel is not closed yet.
        self._channel = None
        if self._connection is not None and not (
            self._connection.is_closing or self._connection.is_closed
        ):
            self._connection.close()

    def _do(self, call: Callable[[Channel, "Future[None]"], None], done: "Future[None]") -> None:
        if self._channel is None:
            self._when_ready.append(partial(self._do, call, done))
        elif self._blocked is not None:
            _fail(done, self._blocked)
        elif not done.cancelled():
            call(self._channel, done)

    def _publish(self, message: Outgoing, channel: Channel, done: "Future[None]") -> None:
        self._published += 1
        self._unconfirmed[self._published] = (message, done)
        channel.basic_publish(
            message.exchange,
            message.routing_key,
            message.body,
            message.properties,
            mandatory=True,
        )

    def _look_up(self, channel: Channel, done: "Future[None]") -> None:
        channel.exchange_declare(
            self._topology.exchange, passive=True, callback=lambda _frame: _succeed(done)
        )

    def _on_return(self, _channel: object, _method: object, properties: Any, _body: bytes) -> None:
        # The confirmation follows: https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        last = frame.method.delivery_tag
        tags = (
            [tag for tag in self._unconfirmed if tag <= last] if frame.method.multiple else [last]
        )
        for tag in tags:
            message, done = self._unconfirmed.pop(tag)
            if isinstance(frame.method, Basic.Nack):
                _fail(done, f"{self._server}: the message was refused")
            elif message.id in self._returned:
                self._returned.discard(message.id)
                _end(done, Unroutable(f"no queue is bound to {message.routing_key!r}"))
            else:
                _succeed(done)

    def _on_blocked(self, _connection: object, frame: Any) -> None:
        self._blocked = f"{self._server}: it takes no messages now: {frame.method.reason}"
        for _, done in self._unconfirmed.values():
            _fail(done, self._blocked)

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self._blocked = None


def _succeed(done: "Future[None]") -> None:
    # Unless nobody waits for it any more.
    with suppress(InvalidStateError):
        done.set_result(None)


def _fail(done: "Future[None]", reason: str) -> None:
    _end(done, BrokerUnavailable(reason))


def _end(done: "Future[None]", error: Exception) -> None:
    with suppress(InvalidStateError):
        done.set_exception(error)
