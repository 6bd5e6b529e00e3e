"""Waiting for an upload to change: `Prefer: wait` (RFC 7240) and Server-Sent Events.

Each waiter holds a thread of the server, so that there are at most so many at once, and of one
user fewer.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from gateway.errors import TooManyWaiters, TooManyWaitersOfUser
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.csvstore import CsvStore

MAX_WAIT_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
# How soon a waiter notices that its client has gone, that its token has ended or that the server is
# stopping.
_LOOK_SECONDS = 0.5

Gone = Callable[[], bool]
"""Whether the client that waits has gone, or may not be answered any more."""


class Waiting:
    """At most `limit` waiters at once, and so many of a user; all stop soon after `stopping`."""

    def __init__(
        self,
        store: CsvStore,
        limit: int,
        limit_per_user: int,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._limit = limit
        self._limit_per_user = limit_per_user
        self._lock = threading.Lock()
        self._waiters: Counter[str] = Counter()
        self._stopping = stopping
        self._clock = clock

    def until_final(self, user: str, upload: Upload, seconds: float, gone: Gone) -> Upload | None:
        """The upload as soon as it is final, or as it is after `seconds`.

        None, at once, when there is no place: the wait is a preference that may be passed over.
        """
        try:
            give_back = self.take_place(user)
        except (TooManyWaiters, TooManyWaitersOfUser):
            return None
        try:
            return self._wait(upload, seconds, gone)
        finally:
            give_back()

    def take_place(self, user: str) -> Callable[[], None]:
        """Take one of the places; returns what gives it back.

        Raises TooManyWaitersOfUser or TooManyWaiters.
        """
        with self._lock:
            if self._waiters[user] >= self._limit_per_user:
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
        upload = self._store.get(upload.id)
        deadline = self._clock() + seconds
        while not upload.state.is_final and not self._stopping.is_set() and not gone():
            left = deadline - self._clock()
            if left <= 0:
                break
            upload = self._store.wait_for_change(
                upload.id, upload.version, min(left, _LOOK_SECONDS)
            )
        return upload

    def changes(self, upload: Upload, gone: Gone) -> Iterator[Upload | None]:
        """The upload, and again on each change until it is final; None as a sign of life.

        Whoever iterates has taken a place before.
        """
        yield upload
        said_at = self._clock()
        while not upload.state.is_final and not self._stopping.is_set() and not gone():
            try:
                latest = self._store.wait_for_change(upload.id, upload.version, _LOOK_SECONDS)
            except UnreadableRecord:
                # Whoever asks again is told.
                return
            if latest.version != upload.version:
                upload = latest
                yield upload
            elif self._clock() - said_at >= HEARTBEAT_SECONDS:
                yield None
            else:
                continue
            said_at = self._clock()
