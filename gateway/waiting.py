"""Waiting for an upload to change: `Prefer: wait` (RFC 7240) and Server-Sent Events.

Each waiter holds a thread of the server, so that there are at most so many at once.
"""

import threading
import time
from collections.abc import Callable, Iterator

from gateway.refusals import TooManyWaiters
from muster.csvstore import CsvStore
from muster.uploads import Upload

MAX_WAIT_SECONDS = 60
HEARTBEAT_SECONDS = 15.0
# How soon a waiter notices that its client has gone, that its token has ended or that the server is
# stopping.
_LOOK_SECONDS = 0.5

Gone = Callable[[], bool]
"""Whether the client that waits has gone, or may not be answered any more."""


class Waiting:
    """At most `limit` waiters at once; all stop soon after `stopping` is set."""

    def __init__(
        self,
        store: CsvStore,
        limit: int,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._places = threading.Semaphore(limit)
        self._stopping = stopping
        self._clock = clock

    def until_final(self, upload: Upload, seconds: float, gone: Gone) -> Upload | None:
        """The upload as soon as it is final, or as it is after `seconds`.

        None, at once, when all places are taken: the wait is a preference that may be passed over.
        """
        try:
            release = self.take_place()
        except TooManyWaiters:
            return None
        try:
            return self._wait(upload, seconds, gone)
        finally:
            release()

    def take_place(self) -> Callable[[], None]:
        """Take one of the places; returns what gives it back. Raises TooManyWaiters."""
        if not self._places.acquire(blocking=False):
            raise TooManyWaiters
        return self._places.release

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
            latest = self._store.wait_for_change(upload.id, upload.version, _LOOK_SECONDS)
            if latest.version != upload.version:
                upload = latest
                yield upload
            elif self._clock() - said_at >= HEARTBEAT_SECONDS:
                yield None
            else:
                continue
            said_at = self._clock()
