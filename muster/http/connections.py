"""The connections that no thread works on: idle ones, requests that arrive, ends that linger."""

import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from muster.http.client import ClientSocket
from muster.http.heads import HEAD_END, asks_how_it_is, has_no_body
from muster.http.settings import ServerSettings

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
# A client that expects a 100 sends nothing before it.
_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)
# A body up to this size is waited for with its head; a thread reads a larger one, or chunks.
_SMALL_BODY_BYTES = 64 * 1024
# RFC 9112, section 9.6: a close with bytes unread would reset what was answered last, so what a
# refused client still sends is thrown away for a while.
LINGER_SECONDS = 10.0
_LINGER_STALL_SECONDS = 2.0
_LINGER_BYTES = 256 * 1024 * 1024


class ClientConnection:
    """A client's connection, in the form in which gunicorn passes one about."""

    def __init__(self, sock: ClientSocket, client: Any, server: Any) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.parser: Any = None
        self.is_polled = False
        self.head = bytearray()
        self._size: int | None = None
        self.deadline = 0.0
        self._lingers_until = 0.0
        self._lingering_bytes = 0
        self.is_let_in = False

    @property
    def address(self) -> str:
        """The address of the other end."""
        return self.client[0] if isinstance(self.client, tuple) else ""

    @property
    def lingers(self) -> bool:
        """Whether the answer is complete, and whatever still comes is thrown away."""
        return self._lingers_until > 0

    def await_request(self, settings: ServerSettings) -> None:
        """Begin to wait for the next request, of which some may be there."""
        self.head, self._size = bytearray(), None
        self.deadline = time.monotonic() + settings.keepalive_seconds
        left_over = b"" if self.parser is None else self.parser.unreader.take_buffered()
        if left_over:
            self.take(left_over, settings)

    def take(self, data: bytes, settings: ServerSettings) -> None:
        """Add to the request, whose head's time begins with its first byte, then its body's."""
        if not self.head:
            self.deadline = time.monotonic() + settings.head_seconds
        self.head += data
        if self._size is None:
            self._size = self._size_to_wait_for()
            if self._size is not None:
                self.deadline = time.monotonic() + settings.body_seconds

    def _size_to_wait_for(self) -> int | None:
        """How much of the request is to be there before it gets a thread; None: not known yet."""
        end = self.head.find(HEAD_END)
        if end < 0:
            # A bare LF never ends a head; the parser refuses it.
            return 0 if self.head.count(b"\n") != self.head.count(b"\r\n") else None
        end += len(HEAD_END)
        if has_no_body(self.head):
            return end
        length = _LENGTH.search(self.head, 0, end)
        if length is None or _EXPECT.search(self.head, 0, end):
            return end
        size = int(length[1])
        return end + size if size <= _SMALL_BODY_BYTES else end

    @property
    def head_bytes(self) -> int:
        """The size of the head as far as it has come, without what follows it."""
        end = self.head.find(HEAD_END)
        return len(self.head) if end < 0 else end

    @property
    def has_head(self) -> bool:
        """Whether the head has come, though the small body after it may not."""
        return self._size is not None

    @property
    def has_request(self) -> bool:
        """Whether a thread can begin with what is there."""
        return self._size is not None and len(self.head) >= self._size

    @property
    def has_come_whole(self) -> bool:
        """Whether the request is there to its end, as far as can be told, and nothing after it."""
        return self.has_request and len(self.head) == self._size and has_no_body(self.head)

    @property
    def asks_how_it_is(self) -> bool:
        """Whether it is from whoever would end a process that does not answer."""
        return asks_how_it_is(self.head)

    @property
    def takes_interim(self) -> bool:
        """Whether its client can be sent an interim response, which one of HTTP/1.0 can't."""
        return self.head.partition(b"\r\n")[0].endswith(b" HTTP/1.1")

    def linger(self) -> None:
        """Send no more, and wait a little for the other end to close; raises OSError if it has."""
        self.sock.shutdown(socket.SHUT_WR)
        self.head = bytearray()
        self._lingers_until = time.monotonic() + LINGER_SECONDS
        self.throw_away(0)

    def throw_away(self, count: int) -> None:
        """Count bytes that came after the answer."""
        self._lingering_bytes += count
        now = time.monotonic()
        self.deadline = min(self._lingers_until, now + _LINGER_STALL_SECONDS)
        if self._lingering_bytes > _LINGER_BYTES:
            self.deadline = now


class IdleConnections:
    """Connections that are waited for without a thread, the longest first."""

    def __init__(self) -> None:
        self._by_address: dict[str, dict[ClientConnection, None]] = {}

    def add(self, connection: ClientConnection) -> None:
        """Wait for it."""
        self._by_address.setdefault(connection.address, {})[connection] = None

    def remove(self, connection: ClientConnection) -> None:
        """Wait for it no longer."""
        own = self._by_address[connection.address]
        del own[connection]
        if not own:
            del self._by_address[connection.address]

    def __contains__(self, connection: ClientConnection) -> bool:
        return connection in self._by_address.get(connection.address, ())

    def __iter__(self) -> Iterator[ClientConnection]:
        for own in self._by_address.values():
            yield from own

    def first_to_go(self) -> ClientConnection | None:
        """The one that waits longest, of the address that has most of them.

        Behind a proxy all have one address; then it is the one that waits longest of all.
        """
        if not self._by_address:
            return None
        busiest = max(self._by_address, key=lambda address: len(self._by_address[address]))
        return next(iter(self._by_address[busiest]))
