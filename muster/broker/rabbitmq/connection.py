"""How RabbitMQ is reached: its URL, connections that block their thread, and what errors mean.

`amqp://` or `amqps://`, then `[USER:PASSWORD@]HOST[:PORT][/VHOST][?option=value…]`, as in
https://www.rabbitmq.com/docs/uri-spec. An error shows no part of a URL but the values of its
options: where a password isn't percent-encoded, any other part may be it.
"""

import os
import random
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Any, NoReturn, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pika import BlockingConnection, ConnectionParameters, PlainCredentials, SSLOptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from muster.adapters import ConfigurationError
from muster.backends.servers import too_old
from muster.broker import BrokerRefused, BrokerUnavailable

_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True)
class ConnectionOptions:
    """What may follow the question mark."""

    heartbeat: int = 5
    """Seconds. Silence of two to three times as many ends a connection.

    So a consumer that is frozen keeps its place, and its message, for 15 seconds at most.
    """
    deadline_seconds: float = 10.0
    """How long a call may take before the broker counts as unavailable."""
    prefix: str = ""
    """What the names of the exchange and the queues begin with, where a virtual host is shared."""
    ca_file: str | None = None
    """The authorities, as PEM, that are trusted in place of the system's."""


@dataclass(frozen=True)
class RabbitServer:
    """How to reach the server, and what to call things there."""

    parameters: ConnectionParameters
    options: ConnectionOptions

    @classmethod
    def from_url(cls, url: str) -> "RabbitServer":
        """Raises ConfigurationError."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
        except ValueError:
            # From None: the reason quotes the URL.
            _refuse("write [USER:PASSWORD@]HOST[:PORT], user and password percent-encoded", None)
        if not host or parts.fragment or "/" in parts.path[1:]:
            _refuse("write HOST[:PORT][/VHOST], with %2F for a slash in the name of a virtual host")
        options = _options_of(parts)
        parameters = ConnectionParameters(
            host=host,
            port=port,
            virtual_host=unquote(parts.path[1:]) or "/",
            credentials=_credentials_of(parts),
            ssl_options=_trust_of(parts, host, options),
            heartbeat=options.heartbeat,
            socket_timeout=options.deadline_seconds,
            stack_timeout=options.deadline_seconds,
            client_properties={"connection_name": f"muster {socket.gethostname()}:{os.getpid()}"},
        )
        return cls(parameters, options)

    @property
    def impatient(self) -> ConnectionParameters:
        """Of a connection on which nothing may take longer than the deadline."""
        parameters = copy(self.parameters)
        parameters.blocked_connection_timeout = self.options.deadline_seconds
        return parameters

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"{self.parameters.host}:{self.parameters.port}"

    def __str__(self) -> str:
        return f"RabbitMQ at {self.address}"


def _refuse(advice: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigurationError(f"The broker URL can't be used: {advice}.") from cause


def _credentials_of(parts: SplitResult) -> PlainCredentials:
    if parts.username is None:
        return PlainCredentials("guest", "guest")
    return PlainCredentials(unquote(parts.username), unquote(parts.password or ""))


def _options_of(parts: SplitResult) -> ConnectionOptions:
    options = ConnectionOptions()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        match name:
            case "heartbeat" if re.fullmatch(r"[1-9]\d{0,3}", value, re.ASCII):
                options = replace(options, heartbeat=int(value))
            case "deadline_seconds" if re.fullmatch(r"\d{1,3}(\.\d+)?", value, re.ASCII):
                options = replace(options, deadline_seconds=float(value))
            case "prefix" if re.fullmatch(r"[\w.-]{1,64}", value, re.ASCII):
                options = replace(options, prefix=value)
            case "ca_file" if value and parts.scheme == "amqps":
                options = replace(options, ca_file=value)
            case "heartbeat" | "deadline_seconds" | "prefix":
                _refuse(f"{name}={value} is no value for it")
            case "ca_file":
                _refuse("ca_file=PATH is for amqps://")
            case _:
                _refuse("its options are heartbeat, deadline_seconds, prefix and ca_file")
    if options.deadline_seconds <= 0:
        _refuse("deadline_seconds must be more than 0")
    return options


def _trust_of(parts: SplitResult, host: str, options: ConnectionOptions) -> SSLOptions | None:
    if parts.scheme == "amqp":
        return None
    try:
        return SSLOptions(ssl.create_default_context(cafile=options.ca_file), host)
    except OSError as error:
        _refuse(f"ca_file {options.ca_file!r} can't be read: {error}", error)


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
