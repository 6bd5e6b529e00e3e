"""One POST to an address that was checked, within one deadline: resolve, connect, TLS, answer.

Not by a library that takes a URL. One of those would look the host up again after it was checked
(https://en.wikipedia.org/wiki/DNS_rebinding), follow a redirect or a proxy of the environment, and
wait for each byte anew. Here the host is looked up once, and the socket is connected to what was
checked; the name is for the certificate and for `Host`. The rest is the standard library's.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, cast

from notification.channels.webhook.addresses import (
    Address,
    AddressPolicy,
    Forbidden,
    Resolver,
    Target,
    Unresolved,
    WrongUrl,
)

SECONDS = 15.0
MOST_BYTES = 4096
_BODY_SECONDS = 1.0
_PIECE = 1024


class NotSent(Exception):
    """There was no answer; the message says why, fit to be shown to the endpoint's owner."""


class NotAllowed(NotSent):
    """It may not be called there: nothing was sent."""


@dataclass(frozen=True)
class Caller:
    """Calls endpoints; safe to share between threads. `tls` checks their certificates."""

    policy: AddressPolicy
    resolver: Resolver
    tls: ssl.SSLContext
    seconds: float = SECONDS

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status that the endpoint answers with; raises NotAllowed or NotSent.

        Of the answer 4 KiB are read, and a second is spent on what follows its head.
        """
        deadline = time.monotonic() + self.seconds
        try:
            target = self.policy.check_url(url)
            addresses = self.policy.pick(target, self.resolver.addresses(target, self.seconds))
        except (WrongUrl, Forbidden) as error:
            raise NotAllowed(str(error)) from None
        except Unresolved as error:
            raise NotSent(str(error)) from None
        try:
            with closing(self._connect(target, addresses, deadline)) as connected:
                return _exchange(target, Wire(connected, deadline), headers, body)
        except TimeoutError:
            raise NotSent(f"no answer within {self.seconds:g} seconds") from None
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"its certificate is not valid: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise NotSent(f"TLS failed: {error.reason or 'the connection broke off'}") from None
        except (OSError, HTTPException) as error:
            raise NotSent(_reason(error)) from None

    def _connect(self, target: Target, addresses: list[Address], deadline: float) -> socket.socket:
        """A connection to the first of the addresses that takes one, encrypted if it is https."""
        plain = _first_of(addresses, target.port, deadline)
        if target.scheme == "http":
            return plain
        try:
            plain.settimeout(_left(deadline))
            return self.tls.wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise


class Wire:
    """A connection on which everything ends at a deadline, and what comes after 4 KiB.

    `http.client` takes it for a socket.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self._connected = connected

    def sendall(self, data: bytes) -> None:
        """Send all of it; raises TimeoutError."""
        self._connected.settimeout(_left(self.deadline))
        self._connected.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes, to be read once."""
        return io.BufferedReader(_Incoming(self._connected, self), _PIECE)

    def close(self) -> None:
        """Nothing: whoever connected closes."""


class _Incoming(io.RawIOBase):
    """At most MOST_BYTES of what comes."""

    def __init__(self, connected: socket.socket, wire: Wire) -> None:
        super().__init__()
        self._connected = connected
        self._wire = wire
        self._room = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._room <= 0:
            return 0
        self._connected.settimeout(_left(self._wire.deadline))
        size = self._connected.recv_into(buffer, min(len(buffer), self._room))
        self._room -= size
        return size


def _exchange(target: Target, wire: Wire, headers: Mapping[str, str], body: bytes) -> int:
    connection = HTTPConnection(target.authority)
    # It connects by itself only where there is no socket.
    connection.sock = cast(socket.socket, wire)
    connection.request("POST", target.path, body, {**headers, "Connection": "close"})
    answer = connection.getresponse()
    wire.deadline = min(wire.deadline, time.monotonic() + _BODY_SECONDS)
    # The rest is read so that the other end can send it, and thrown away.
    with suppress(OSError, HTTPException):
        answer.read(MOST_BYTES)
    return answer.status


def _first_of(addresses: list[Address], port: int, deadline: float) -> socket.socket:
    """Raises OSError: that of the last address."""
    for place, address in enumerate(addresses):
        # Each has its share of the time that is left.
        seconds = _left(deadline) / (len(addresses) - place)
        try:
            return _open(address, port, seconds)
        except OSError as error:
            failure = error
    raise failure


def _open(address: Address, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(seconds)
        opened.connect((str(address), port))
    except BaseException:
        opened.close()
        raise
    return opened


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, OSError):
        return f"the connection failed: {error.strerror or type(error).__name__}"
    return "the answer is not HTTP"
