"""The socket of a client that is answered by a thread: no wait for it is without a bound.

gunicorn bounds each read, never the whole: a byte every 20 seconds holds a thread for ever. Here
the time that a thread waits for its client is added up for each request.
"""

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import prometheus_client

from muster.http.settings import ServerSettings

T = TypeVar("T", bytes, int)

CUT_OFF = prometheus_client.Counter(
    "muster_clients_cut_off_total", "Connections that the server ended.", ("reason",)
)
for _reason in (
    *("idle", "full", "busy", "gone", "head-time", "head-size"),
    *("body-time", "body-rate", "answer-rate", "share"),
):
    CUT_OFF.labels(_reason)

ACCEPT_PAUSES = prometheus_client.Counter(
    "muster_accept_pauses_total", "Times that no connection could be taken for want of open files."
)

# A client is waited for this long without a place; one that keeps up never takes longer.
_FREE_SECONDS = 0.25
_LOOK_SECONDS = 1.0
# A client this far behind counts as slow.
_LATE_SECONDS = 2.0
_SENDFILE_BYTES = 1024 * 1024
# Nobody gives up before; until then it is not asked whether somebody has.
_PATIENCE_SECONDS = 1.0
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientTooSlow(TimeoutError):
    """The client took longer than it may, or than there is room for; `detail` names the limit.

    Its errno is that of a broken connection: code that does not know it takes it for one.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(errno.EPIPE, detail)
        self.detail = detail
        self.for_want_of_room = reason == "share"
        CUT_OFF.labels(reason).inc()


class _Bound(NamedTuple):
    """How many seconds more a client is waited for, and what is reported after them."""

    seconds: float
    reason: str
    detail: str


@dataclass
class _Transfer:
    """How long was waited for a client, while it sent a request or took the answer.

    `late` are the seconds that it is behind the minimum rate. It is never ahead: what was fast at
    first gives no right to stall later.
    """

    waited: float = 0.0
    late: float = 0.0

    def wait(self, seconds: float) -> None:
        """Add to the time waited."""
        self.waited += seconds
        self.late += seconds

    def move(self, count: int, rate: int) -> None:
        """Count bytes that were received, or sent."""
        self.late = max(0.0, self.late - count / rate)

    def bound_by_rate(self, settings: ServerSettings, reason: str) -> _Bound:
        """What is left of the grace."""
        grace, rate = settings.read_timeout_seconds, settings.min_bytes_per_second
        detail = f"A client must keep up {rate:,} bytes a second, over any {grace:g} s."
        return _Bound(grace - self.late, reason, detail)


class SlowClients:
    """The requests whose clients did not keep up: at most `settings.slow_clients` at once.

    For one more, one of the owner that has most of them makes room; where all have as many, one
    that is seconds behind the minimum rate. Else the last to come is turned away.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._taken: dict[ClientSocket, None] = {}

    def take(self, client: "ClientSocket") -> None:
        """Take a place for the request, or keep it. Another client may lose its own."""
        with self._lock:
            self._taken[client] = None
            if len(self._taken) <= self.settings.slow_clients:
                return
            loser = self._who_goes(client)
            del self._taken[loser]
        loser.lose_place()

    def give_back(self, client: "ClientSocket") -> None:
        """Give back the place of the request that is answered, if it had one."""
        with self._lock:
            self._taken.pop(client, None)

    def _who_goes(self, newcomer: "ClientSocket") -> "ClientSocket":
        owned = Counter(each.owner for each in self._taken)
        busiest = max(owned, key=lambda owner: owned[owner])
        slowest = max(
            (each for each in self._taken if owned[each.owner] == owned[busiest]),
            key=lambda each: each.late,
        )
        is_fair = owned[busiest] > owned[newcomer.owner] or slowest.late > _LATE_SECONDS
        return slowest if is_fair else newcomer


class ClientSocket(socket.socket):
    """A socket that never blocks: what it can't do at once it waits for within the limits.

    gunicorn uses it as any other. `owner` is whom its place counts for: the address, or the user
    once that is known.
    """

    def __init__(self, family: int, fileno: int, address: str, places: SlowClients) -> None:
        super().__init__(family, socket.SOCK_STREAM, 0, fileno)
        self.setblocking(False)
        self._address = address
        self._places = places
        self._settings = places.settings
        self.begin_request()

    def begin_request(self, *, takes_interim: bool = False) -> None:
        """Forget what was waited for the request before.

        `takes_interim` tells whether its client can be sent an interim response.
        """
        self._began = time.monotonic()
        self._takes_interim = takes_interim
        self._is_broken = False
        self.owner = self._address
        self._received = _Transfer()
        self._sent = _Transfer()
        self._is_upload = False
        self._lost_place = False
        self._waits_since: float | None = None
        self._waits_to_send = False
        self._unsent = 0

    def expect_upload(self) -> None:
        """Bound the body of this request by the minimum rate, not by one time for all of it."""
        self._is_upload = True

    @property
    def late(self) -> float:
        """How far the client is behind the minimum rate, in seconds."""
        since = self._waits_since
        now = 0.0 if since is None else time.monotonic() - since
        return max(self._received.late, self._sent.late) + now

    def has_left(self) -> bool:
        """Whether the client has closed or reset the connection, so that nobody reads an answer.

        One that only ends its own side (a half-close) has not left, and looks like one that has
        closed until something is sent to it. A second after its request it is therefore sent an
        interim response, which clients pass over (RFC 9110, section 15.2), and which the system of
        one that has closed answers with a reset: at once on this machine, else soon. Behind a proxy
        it is the proxy's connection.
        """
        waited = time.monotonic() - self._began
        if self._takes_interim and waited >= _PATIENCE_SECONDS and self._has_ended():
            self._takes_interim = False
            self.send_now(_INTERIM)
        try:
            # Reading the error clears it.
            self._is_broken |= self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        except OSError:
            return True
        return self._is_broken

    def _has_ended(self) -> bool:
        try:
            return super().recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            self._is_broken = True
            return False

    def end_request(self) -> None:
        """Give back the place that the request took."""
        self._places.give_back(self)

    def lose_place(self) -> None:
        """Have the thread that waits for this client wait no longer."""
        self._lost_place = True
        # This wakes the thread up. One that waits for a body can still send an answer.
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR if self._waits_to_send else socket.SHUT_RD)

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """As socket.recv; raises ClientTooSlow."""
        data = self._do(lambda: super(ClientSocket, self).recv(bufsize, flags), select.POLLIN)
        self._received.move(len(data), self._settings.min_bytes_per_second)
        return data

    def recv_now(self, bufsize: int) -> bytes:
        """What is there; raises BlockingIOError if nothing is."""
        return super().recv(bufsize)

    def send(self, data: Any, flags: int = 0) -> int:
        """As socket.send; raises ClientTooSlow."""
        sent = self._do(lambda: super(ClientSocket, self).send(data, flags), select.POLLOUT)
        self._sent.move(sent, self._settings.min_bytes_per_second)
        return sent

    def send_now(self, data: bytes) -> None:
        """Send what goes at once."""
        with suppress(OSError):
            super().send(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As socket.sendall; raises ClientTooSlow."""
        left = memoryview(data)
        while left:
            left = left[self.send(left, flags) :]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """As socket.sendfile, of a file on disk; raises ClientTooSlow."""
        end = None if count is None else offset + count
        at = offset
        while end is None or at < end:
            size = _SENDFILE_BYTES if end is None else min(_SENDFILE_BYTES, end - at)
            send = partial(os.sendfile, self.fileno(), file.fileno(), at, size)
            sent = self._do(send, select.POLLOUT)
            if not sent:
                break
            self._sent.move(sent, self._settings.min_bytes_per_second)
            at += sent
        return at - offset

    def _do(self, attempt: Callable[[], T], event: int) -> T:
        """What `attempt` returns once it need not wait."""
        while True:
            try:
                result = attempt()
            except BlockingIOError:
                self._wait(event)
            except OSError:
                self._require_place()
                raise
            else:
                if not result:
                    self._require_place()
                return result

    def _wait(self, event: int) -> None:
        self._waits_to_send = event == select.POLLOUT
        self._unsent = self._count_unsent() if self._waits_to_send else 0
        if self._polls(event, _FREE_SECONDS - self.late):
            return
        self._places.take(self)
        left, reason, detail = self._bound()
        while left > 0:
            if self._polls(event, min(left, _LOOK_SECONDS)):
                return
            left, reason, detail = self._bound()
        raise ClientTooSlow(reason, detail)

    def _polls(self, event: int, seconds: float) -> bool:
        """Wait for `seconds` at most; returns whether the socket is ready."""
        transfer = self._sent if self._waits_to_send else self._received
        began = self._waits_since = time.monotonic()
        try:
            ready = _poll(self, event, max(0.0, seconds))
        finally:
            self._waits_since = None
            transfer.wait(time.monotonic() - began)
        self._require_place()
        if self._waits_to_send:
            # More can be sent only once a large part of the buffer is free; until then this shows
            # that the client takes some.
            before, self._unsent = self._unsent, self._count_unsent()
            transfer.move(max(0, before - self._unsent), self._settings.min_bytes_per_second)
        return ready

    def _count_unsent(self) -> int:
        """Bytes that are on their way to the client, if the system tells."""
        try:
            told = fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(told, sys.byteorder)

    def _bound(self) -> _Bound:
        if self._waits_to_send:
            return self._sent.bound_by_rate(self._settings, "answer-rate")
        if self._is_upload:
            return self._received.bound_by_rate(self._settings, "body-rate")
        seconds = self._settings.body_seconds
        left = seconds - self._received.waited
        return _Bound(left, "body-time", f"The body did not arrive within {seconds:g} s.")

    def _require_place(self) -> None:
        if self._lost_place:
            raise ClientTooSlow(
                "share",
                f"At most {self._settings.slow_clients} clients may be slow at once: try again.",
            )


def name_owner(environ: Mapping[str, Any], owner: str) -> None:
    """Count what the request of `environ` takes for `owner`, not for the address."""
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, ClientSocket):
        connection.owner = owner


def _poll(connection: socket.socket, event: int, seconds: float) -> bool:
    # Not select(), which takes no file descriptor beyond 1023.
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(seconds * 1000))
