"""Connections that block their thread, what pika's errors mean, and how long to wait between."""

import random
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any, cast

from pika import BlockingConnection, ConnectionParameters
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from muster.backends.servers import too_old
from muster.broker import BrokerRefused, BrokerUnavailable
from muster.broker.rabbitmq.server import RabbitServer

# The second is no AMQPError: it is raised when a handshake takes too long.
_ERRORS = (AMQPError, AMQPConnectorException, OSError)
# What pika raises out of headers for which it has no value, as a time after the year 9999 or tables
# in tables in tables. The broker counts the delivery, and in the end the message is a dead letter.
_UNREADABLE = (ValueError, ArithmeticError, RecursionError, struct.error)
_PRECONDITION_FAILED = 406
_LONGEST_PAUSE = 5.0
_LONGEST_GOODBYE_SECONDS = 2.0


@contextmanager
def translated(server: RabbitServer) -> Iterator[None]:
    """Whatever pika or the network raises in the block is raised as BrokerUnavailable."""
    try:
        yield
    except _ERRORS as error:
        raise BrokerUnavailable(f"{server}: {reason_of(error)}") from error
    except _UNREADABLE as error:
        raise BrokerUnavailable(f"{server}: a frame can't be read: {error!r}") from error


@contextmanager
def blocking_channel(server: RabbitServer) -> Iterator[BlockingChannel]:
    """A channel of a connection of its own, for this thread; raises BrokerUnavailable."""
    with translated(server):
        connection = connect(server, server.impatient)
        try:
            yield connection.channel()
        finally:
            close(connection)


def connect(server: RabbitServer, parameters: ConnectionParameters) -> BlockingConnection:
    """A connection to a server that is new enough; raises BrokerRefused, or pika's errors."""
    connection = BlockingConnection(parameters)
    # On a connection of this kind they have no public name.
    properties = cast(Any, connection)._impl.server_properties
    product, version = (_text(properties.get(name)) for name in ("product", "version"))
    complaint = too_old(product, version, server.address, "broker")
    if complaint is not None:
        close(connection)
        raise BrokerRefused(complaint)
    return connection


def close(connection: BlockingConnection) -> None:
    """Close it, if it is open; what it held unanswered goes back to its queue."""
    say(connection.close)


def say(goodbye: Callable[[], object], after: threading.Thread | None = None) -> threading.Thread:
    """Wait for the server's answer to `goodbye`, or the end of its connection, but not for long.

    Where the server hangs pika would wait for a heartbeat. The thread that is returned goes on with
    it then, and has the connection to itself: what is said `after` it waits for its turn.
    """

    def politely() -> None:
        if after is not None:
            after.join()
        with suppress(*_ERRORS, *_UNREADABLE):
            goodbye()

    saying = threading.Thread(target=politely, daemon=True)
    saying.start()
    saying.join(_LONGEST_GOODBYE_SECONDS)
    return saying


def _text(value: object) -> str:
    # As pika decodes it, which depends on whether it is UTF-8.
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line, from under the layers that pika puts around it."""
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == _PRECONDITION_FAILED:
        return (
            f"{error.reply_text} (something is there that was declared differently: "
            "delete it when it is empty, or use another virtual host or prefix)"
        )
    inner = getattr(error, "exceptions", None) or error.args
    if inner and isinstance(inner[-1], BaseException):
        return reason_of(inner[-1])
    return str(error) or repr(error)


def pauses() -> Iterator[float]:
    """Seconds to wait after each failure in a row: doubling, with jitter, at most 5."""
    doubling = (0.1 * 2**number for number in range(6))
    for longest in chain(doubling, repeat(_LONGEST_PAUSE)):
        yield random.uniform(longest / 2, longest)  # noqa: S311 - no secret
