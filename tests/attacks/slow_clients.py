"""Clients that hold on to a server: half a head, a byte now and then, or nothing at all."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

FORM = "Content-Type: application/x-www-form-urlencoded"
LENGTH, LARGE = "Content-Length: 10000", "Content-Length: 1000000"
CHUNKED = "Transfer-Encoding: chunked"
BOUNDARY = "----attack"
# It is not by their number at once that these clients attack.
_CONNECT_SECONDS = 0.002


@dataclass(frozen=True)
class Kind:
    """What a client sends at once, before it sends a byte at a time."""

    begin: bytes
    drip: bytes = b"1"
    takes_nothing: bool = False


def kinds(token: str) -> Mapping[str, Kind]:
    """Each kind of request that can be made slow, by what is slow in it."""
    user = f"Authorization: Bearer {token}"
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="jobs.csv"\r\n\r\n1'
    )
    uploads, csv = "/v1/uploads?table=jobs", "Content-Type: text/csv"
    multipart = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    return {
        "nothing but a connection": Kind(b"", drip=b""),
        "head": Kind(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        "form": _post("/login", FORM, LENGTH),
        "form, chunked": _post("/login", FORM, CHUNKED, body=b"2710\r\na"),
        "form, chunk sizes": _post("/login", FORM, CHUNKED),
        "JSON": _post("/v1/me/password", user, LENGTH),
        "JSON, chunked": _post("/v1/me/password", user, CHUNKED, body=b"2710\r\n"),
        "batch": _post("/v1/tables/jobs/rows", user, LARGE, body=b"["),
        "upload": _post(uploads, user, csv, LARGE),
        "upload, chunked": _post(uploads, user, csv, CHUNKED, body=b"fffff\r\n"),
        "upload, multipart": _post(uploads, user, multipart, LARGE, body=part.encode()),
        "upload without a token": _post(uploads, LARGE),
        "answer that is not taken": Kind(
            b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20, drip=b"", takes_nothing=True
        ),
    }


def _post(target: str, *headers: str, body: bytes = b"") -> Kind:
    head = "\r\n".join((f"POST {target} HTTP/1.1", "Host: x", *headers, "", ""))
    return Kind(head.encode() + body)


@contextmanager
def attacking(url: str, kind: Kind, clients: int, pause: float) -> Iterator["Attack"]:
    """So many clients of a kind at once, each with a byte every `pause` seconds."""
    attack = Attack(url, kind, clients, pause)
    thread = threading.Thread(target=attack.run)
    thread.start()
    try:
        yield attack
    finally:
        attack.stop.set()
        thread.join()


class Attack:
    """Clients that come back, at their next turn, when they are thrown out."""

    def __init__(self, url: str, kind: Kind, clients: int, pause: float) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._kind = kind
        self._clients = clients
        self._pause = pause
        self._open: set[socket.socket] = set()
        self.stop = threading.Event()
        self.thrown_out = 0
        self.connected = 0

    def run(self) -> None:
        """Attack until `stop` is set."""
        try:
            with selectors.DefaultSelector() as selector:
                while not self.stop.is_set():
                    self._connect_all(selector)
                    self._listen(selector)
                    for connection in list(self._open):
                        self._send(connection, self._kind.drip)
        finally:
            for connection in self._open:
                connection.close()

    def _connect_all(self, selector: selectors.BaseSelector) -> None:
        while len(self._open) < self._clients and not self.stop.wait(_CONNECT_SECONDS):
            connection = socket.socket()
            if self._kind.takes_nothing:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            try:
                connection.connect(self._address)
            except OSError:
                connection.close()
                return
            connection.setblocking(False)
            self.connected += 1
            self._open.add(connection)
            if not self._kind.takes_nothing:
                selector.register(connection, selectors.EVENT_READ)
            self._send(connection, self._kind.begin)

    def _listen(self, selector: selectors.BaseSelector) -> None:
        """Look for a while who is thrown out."""
        end = time.monotonic() + self._pause
        while not self.stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._kind.takes_nothing:
                self.stop.wait(left)
            for key, _ in selector.select(min(left, 0.2)):
                self._hear(selector, key.fileobj)  # type: ignore[arg-type]

    def _hear(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        try:
            gone = not connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self.thrown_out += 1
            selector.unregister(connection)
            self._open.discard(connection)
            connection.close()

    @staticmethod
    def _send(connection: socket.socket, data: bytes) -> None:
        # Who was thrown out hears of it.
        with suppress(OSError):
            connection.send(data)
