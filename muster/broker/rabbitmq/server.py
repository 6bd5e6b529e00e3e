"""Which RabbitMQ is meant, as a URL says it.

`amqp://` or `amqps://`, then `[USER:PASSWORD@]HOST[:PORT][/VHOST][?option=value…]`, as in
https://www.rabbitmq.com/docs/uri-spec. An error shows no part of a URL but the values of its
options: where a password isn't percent-encoded, any other part may be it.
"""

import os
import re
import socket
import ssl
from copy import copy
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pika import ConnectionParameters, PlainCredentials, SSLOptions

from muster.adapters import ConfigurationError

_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True)
class Options:
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
    options: Options

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


def _options_of(parts: SplitResult) -> Options:
    options = Options()
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
        _refuse("deadline_seconds has to be more than 0")
    return options


def _trust_of(parts: SplitResult, host: str, options: Options) -> SSLOptions | None:
    if parts.scheme == "amqp":
        return None
    try:
        return SSLOptions(ssl.create_default_context(cafile=options.ca_file), host)
    except OSError as error:
        _refuse(f"ca_file {options.ca_file!r} can't be read: {error}", error)
