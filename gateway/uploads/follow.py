"""Following an upload until it is final: `Prefer: wait` (RFC 7240) and Server-Sent Events.

Each request that waits holds a thread of the server, so there are only so many places for them,
and fewer for one user. A wait ends with the upload, its time, its client, its token or its server.
"""

import select
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType

from gateway.errors import TooManyWaiters, TooManyWaitersOfUser
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.http.rate_limits import RateLimit, announce
from muster.uploadstore import UploadStore

MAX_WAIT_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
# How soon a waiter notices that its client has gone, that its token has ended or that the server is
# stopping.
_LOOK_SECONDS = 0.5

Gone = Callable[[], bool]
"""Whether the client that waits has gone, or may not be answered any more."""


class UploadFollower:
    """At most `limit` waiters at once, and so many of a user; all stop soon after `stopping`."""

    def __init__(
        self,
        uploads: UploadStore,
        limit: int,
        limit_per_user: int,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._limit = limit
        self._limit_per_user = limit_per_user
        self._lock = threading.Lock()
        self._waiters: Counter[str] = Counter()
        self._stopping = stopping
        self._clock = clock

    def until_final(self, user: str, upload: Upload, seconds: float, gone: Gone) -> Upload | None:
        """The upload as soon as it is final, or as it is after `seconds`.

        None, at once, when there is no place: the wait is a preference that may be ignored.
        """
        try:
            give_back = self.take_place(user)
        except (TooManyWaiters, TooManyWaitersOfUser):
            return None
        try:
            return self._wait(upload, seconds, gone)
        finally:
            give_back()

    def changes(
        self,
        upload: Upload,
        gone: Gone,
        place_of: Callable[[Upload], object] = lambda _upload: None,
    ) -> Iterator[Upload | None]:
        """The upload, and again on each change until it is final; None as a sign of life.

        That what `place_of` says of it has changed is a change, too. The caller has taken a place
        before.
        """
        place = place_of(upload)
        yield upload
        said_at = self._clock()
        while not upload.state.is_final and not self._stopping.is_set() and not gone():
            try:
                latest = self._uploads.wait_for_change(upload.id, upload.version, _LOOK_SECONDS)
            except UnreadableRecord:
                # A client that asks again gets the reason.
                return
            before, place = place, place_of(latest)
            if latest.version != upload.version or place != before:
                upload = latest
                yield upload
            elif self._clock() - said_at >= HEARTBEAT_SECONDS:
                yield None
            else:
                continue
            said_at = self._clock()

    def take_place(self, user: str) -> Callable[[], None]:
        """Take one of the places; returns what gives it back.

        Raises TooManyWaitersOfUser or TooManyWaiters.
        """
        with self._lock:
            left = self._limit_per_user - self._waiters[user] - 1
            announce(RateLimit("waits", self._limit_per_user, left, unit="concurrent-requests"))
            if left < 0:
                raise TooManyWaitersOfUser(self._limit_per_user)
            if self._waiters.total() >= self._limit:
                raise TooManyWaiters
            self._waiters[user] += 1
        return lambda: self._give_back(user)

    def _give_back(self, user: str) -> None:
        with self._lock:
            self._waiters[user] -= 1
            if not self._waiters[user]:
                del self._waiters[user]

    def _wait(self, upload: Upload, seconds: float, gone: Gone) -> Upload:
        upload = self._uploads.get(upload.id)
        deadline = self._clock() + seconds
        while not upload.state.is_final and not self._stopping.is_set() and not gone():
            left = deadline - self._clock()
            if left <= 0:
                break
            upload = self._uploads.wait_for_change(
                upload.id, upload.version, min(left, _LOOK_SECONDS)
            )
        return upload


def has_gone(connection: socket.socket | None) -> bool:
    """Whether the client has closed its side; never for None, of a server that hides it."""
    if connection is None:
        return False
    try:
        # Not select(), which takes no file descriptor beyond 1023.
        readable = select.poll()
        readable.register(connection, select.POLLIN)
        return bool(readable.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def event_at_shutdown() -> threading.Event:
    """An event that is set when the process is told to stop by a signal that its server handles.

    gunicorn lets requests end within its grace period but does not tell them; those that wait ought
    to end at once. The server's own handlers still run. Signals that nobody handles stay so.
    """
    stopping = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            _chain(number, stopping)
    return stopping


def _chain(number: signal.Signals, stopping: threading.Event) -> None:
    handler = signal.getsignal(number)
    if not callable(handler) or handler is signal.default_int_handler:
        return

    def handle(received: int, frame: FrameType | None) -> None:
        stopping.set()
        handler(received, frame)

    signal.signal(number, handle)
    # A signal restarts a call that it interrupts, as gunicorn sets it for its own handlers.
    signal.siginterrupt(number, False)
