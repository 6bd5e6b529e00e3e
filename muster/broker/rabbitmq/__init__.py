"""RabbitMQ as the broker: `amqp://user:password@host:5672/vhost`, or `amqps://`.

Works alike on RabbitMQ 3.10 to 4.3. All threads of the process publish over one connection, and
each consumer has its own, so that an alarm, which stops publishers, stops no acknowledgement.

`connection` is how the server is reached, `topology` what is declared there and what messages
carry, `consumer` the other half of this adapter.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from pika import BasicProperties, SelectConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.spec import Basic

from muster.broker import (
    BrokerUnavailable,
    DeadMessage,
    Delivery,
    Publication,
    QueueDepth,
    Unroutable,
    Verdict,
)
from muster.broker.rabbitmq.connection import RabbitServer, blocking_channel, reason_of, translated
from muster.broker.rabbitmq.consumer import RabbitConsumer
from muster.broker.rabbitmq.topology import (
    Outgoing,
    Topology,
    again,
    dead_letter_of,
    received,
    to_publish,
)
from muster.broker.ticker import Ticker

# An exception is reported once, in one line, where it is handled.
logging.getLogger("pika").setLevel(logging.CRITICAL)
_POLL_SECONDS = 0.01
_DELETED_SECONDS = 1.0
_LONGEST_RETURN_SECONDS = 2.0


class RabbitBroker:
    """A broker on a RabbitMQ server. Raises ConfigurationError."""

    def __init__(self, url: str) -> None:
        self._server = RabbitServer.from_url(url)
        self._topology = Topology(self._server.options.prefix)
        self._publisher = Publisher(self._server, self._topology)

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the message is durably queued; raises BrokerUnavailable or Unroutable."""
        self.publish_each([Publication(routing_key, body, headers)])

    def publish_each(self, publications: Sequence[Publication]) -> None:
        """Return once the messages are durably queued; raises BrokerUnavailable or Unroutable."""
        exchange = self._topology.exchange
        self._publisher.publish(*(to_publish(exchange, *each) for each in publications))

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        """Hand over the messages of `queue` one at a time, oldest first, until `stop` is set."""
        publish, ticker = self._publisher.publish, Ticker(tick)
        RabbitConsumer(self._server, self._topology, publish, queue, handle, stop, ticker).run()

    def depth(self, queue: str) -> QueueDepth:
        """How many messages `queue` holds, but for those that its consumer has fetched."""
        with blocking_channel(self._server) as channel:
            return self._topology.depth(queue, self._topology.declare(channel))

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        """The oldest dead letters of `queue`, at most `limit`; they stay."""
        with blocking_channel(self._server) as channel:
            letters = each_dead_letter(channel, self._topology, queue)
            listed = [dead_letter_of(*letter) for letter in islice(letters, limit)]
            give_back(channel, self._topology.dead(queue), len(listed))
            return listed

    def replay_dead_letters(self, queue: str) -> int:
        """Put the dead letters of `queue` back at its end; returns how many they were."""
        replayed = 0
        with blocking_channel(self._server) as channel:
            for method, properties, body in each_dead_letter(channel, self._topology, queue):
                delivery = received(method, properties, body).delivery
                self._publisher.publish(again(self._topology.queue(queue), delivery))
                # Only now: what breaks off in between is there twice, not lost.
                channel.basic_ack(method.delivery_tag)
                replayed += 1
        return replayed

    def check(self) -> None:
        """Return if the broker answers and takes messages; raises BrokerUnavailable."""
        self._publisher.check()

    def close(self) -> None:
        """Give up the publisher's connection."""
        self._publisher.close()


def each_dead_letter(
    channel: BlockingChannel, topology: Topology, queue: str
) -> Iterator[tuple[Any, BasicProperties, bytes]]:
    """Method, properties and body of each dead letter that is there now.

    Each stays in its queue unless it is acknowledged: it goes back when the channel is closed.
    """
    name = topology.dead(queue)
    for _ in range(topology.require(name, topology.declare(channel))):
        method, properties, body = channel.basic_get(name)
        if method is None or properties is None or body is None:
            return
        yield method, properties, body


def give_back(channel: BlockingChannel, name: str, count: int) -> None:
    """Close the channel, over which `count` messages of the queue `name` were taken.

    They go back to their places, and can't be listed or replayed for a moment: wait for that.
    """
    others = _ready(channel, name)
    # To give each back by itself would change their order.
    channel.close()
    watching = channel.connection.channel()
    deadline = time.monotonic() + _LONGEST_RETURN_SECONDS
    while _ready(watching, name) < others + count and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _ready(channel: BlockingChannel, name: str) -> int:
    return int(channel.queue_declare(name, passive=True).method.message_count)


class Publisher:
    """Publishes from any thread; connects, also anew, when there is something to publish."""

    def __init__(self, server: RabbitServer, topology: Topology) -> None:
        self._server = server
        self._topology = topology
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._declare_at = 0.0

    def publish(self, *messages: Outgoing) -> None:
        """Return once each is confirmed: the majority of its queue's nodes has it on disk.

        Raises Unroutable, or BrokerUnavailable within the deadline.
        """
        session = self._connected()
        try:
            for done in [session.publish(message) for message in messages]:
                self._await(done)
        except Unroutable:
            # Another session begins by declaring what somebody may have deleted. Not at once: on
            # RabbitMQ 3.10 a consumer that has not heard yet that its queue is gone stays with the
            # new one, and is delivered nothing.
            self._declare_at = time.monotonic() + _DELETED_SECONDS
            self._leave(session)
            raise

    def check(self) -> None:
        """Return if the broker answers and takes messages; raises BrokerUnavailable."""
        self._await(self._connected().look_up())

    def close(self) -> None:
        """End the connection, if there is one."""
        with self._lock:
            if self._session is not None:
                self._session.close()

    def _connected(self) -> "Session":
        with self._lock:
            if self._session is None or self._session.is_over:
                if time.monotonic() < self._declare_at:
                    raise BrokerUnavailable(f"{self._server}: a queue that was deleted comes back")
                # It opens files before it connects, of which there may be too many.
                with translated(self._server):
                    self._session = Session(self._server, self._topology)
            return self._session

    def _leave(self, session: "Session") -> None:
        with self._lock:
            if self._session is session:
                self._session = None
        session.end()

    def _await(self, done: "Future[None]") -> None:
        seconds = self._server.options.deadline_seconds
        try:
            done.result(seconds)
        except NotInTime as error:
            # What was not sent yet never is.
            done.cancel()
            raise BrokerUnavailable(f"{self._server}: no answer in {seconds:g} seconds") from error


class Session:
    """One connection for publishing, from its beginning to its end; what is unanswered then, fails.

    A connection of pika's belongs to one thread, which must serve its heartbeats: calls of other
    threads go through `add_callback_threadsafe`, and their outcome comes back in a Future.
    """

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
        """Look the exchange up; the outcome is BrokerUnavailable or that it exists."""
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
