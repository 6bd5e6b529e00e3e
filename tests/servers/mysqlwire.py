"""A TCP proxy before MySQL or MariaDB: it reads along, and a test strikes at what it sees."""

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit, urlunsplit

from tests.servers.proxy import Proxy

_BYTES = 65536
_HEADER = 4
_COM_QUERY = 3
# MySQL's statements have them from 8.0.23 on.
_NO_ATTRIBUTES = b"\0\1"
_SSL = 0x08
"""In the second byte of a greeting's capabilities."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Passage:
    """A client's connection. `strike` is called in its thread, so that nothing passes meanwhile.

    `statement` is the last that the client began to send, `id` the connection's at the server.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = client, server
        self._answer_is_lost = False
        self._packet_left = 0
        self._begun = b""
        self.statement = ""
        self.id = 0

    def run(self, strike: Callable[["Passage", bool], None]) -> None:
        """Let everything pass that comes, from either side, until one ends it."""
        client, server = self._ends
        with client, server, suppress(OSError, ValueError):
            greeting = server.recv(_BYTES)
            self.id = _connection_id(greeting)
            client.sendall(_without_tls(greeting))
            while True:
                for source in select.select(self._ends, (), ())[0]:
                    data = source.recv(_BYTES)
                    if not data:
                        return
                    if source is client:
                        self._read(data)
                    strike(self, source is client)
                    if source is server and self._answer_is_lost:
                        self.reset()
                    (server if source is client else client).sendall(data)

    def reset(self) -> None:
        """End it by RST, on both sides; what is passing is lost."""
        for end in self._ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            end.close()

    def lose_answer(self) -> None:
        """Let pass what is passing, and reset the connection in place of the answer."""
        self._answer_is_lost = True

    def _read(self, data: bytes) -> None:
        while data:
            if self._packet_left:
                read = data[: self._packet_left]
                self._packet_left -= len(read)
                data = data[len(read) :]
                continue
            # A statement's first bytes, which come at once.
            begun, data = self._begun + data, b""
            if len(begun) <= _HEADER:
                self._begun = begun
                return
            self._begun = b""
            self._packet_left = int.from_bytes(begun[:3], "little")
            if begun[3] == 0 and begun[_HEADER] == _COM_QUERY:
                statement = begun[_HEADER + 1 : _HEADER + 120].removeprefix(_NO_ATTRIBUTES)
                self.statement = statement.decode(errors="replace")
            data = begun[_HEADER:]


class MysqlWire(Proxy):
    """Stands before the server of `url`; `url` is that of the same database over it.

    `strike` is told of each piece that passes, and whether it goes to the server. TLS is not
    offered to the client, so that statements can be read.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        super().__init__((parts.hostname or "", parts.port or 3306))
        account = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{account}@127.0.0.1:{self.port}"))
        self.strike: Callable[[Passage, bool], None] = lambda _passage, _to_server: None

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Let a passage begin, in which no piece waits for the next."""
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        passage = Passage(client, server)
        Thread(target=passage.run, args=(self._struck,), daemon=True).start()

    def _struck(self, passage: Passage, to_server: bool) -> None:
        self.strike(passage, to_server)


def _connection_id(greeting: bytes) -> int:
    """As https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html."""
    start = greeting.index(b"\0", _HEADER + 1) + 1
    return int.from_bytes(greeting[start : start + 4], "little")


def _without_tls(greeting: bytes) -> bytes:
    # After the version: the id (4), the first part of a salt (8), a zero, and the capabilities.
    place = greeting.index(b"\0", _HEADER + 1) + 1 + 4 + 8 + 1 + 1
    return greeting[:place] + bytes([greeting[place] & ~_SSL]) + greeting[place + 1 :]
