"""Where an upload that waits to be loaded stands in the queue, for those who wait for it."""

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta

from muster.contracts.upload_document import MOST_PLACES, QueuePlace
from muster.contracts.uploads import State, Upload, now
from muster.uploadstore import UploadStore
from muster.weather import Unavailable

_LOOK_EVERY_SECONDS = 0.1
_COUNT_EVERY_SECONDS = 1.0
_OLD_SECONDS = 10
_SECONDS_WITHOUT_RATE = 5
_MOST_SECONDS = 60
_LATE = timedelta(seconds=10)


class UploadQueue:
    """The queue as of the last tenth of a second: one question to the store for all who ask."""

    def __init__(self, uploads: UploadStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._uploads = uploads
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = -float("inf")
        self._sequences: list[int] = []
        self._counted_at = -float("inf")
        self._counted: list[int] = []
        self._rate = 0.0

    def place_of(self, upload: Upload) -> QueuePlace | None:
        """Its place; None if it waits no longer, or if the store can't say it now."""
        if upload.state is not State.QUEUED:
            return None
        try:
            sequences = self._look()
        except Unavailable:
            return None
        ahead = bisect_left(sequences, upload.sequence)
        if ahead < len(sequences) and sequences[ahead] != upload.sequence:
            # It was taken out meanwhile.
            return None
        return QueuePlace(min(ahead + 1, MOST_PLACES), upload.submitted_at)

    def seconds_left(self, upload: Upload) -> int:
        """About how long it still waits to be loaded, by what was loaded in the last seconds.

        The store is not asked: this is told of whatever is accepted.
        """
        with self._lock:
            is_known = self._clock() - self._looked_at < _OLD_SECONDS
            ahead = bisect_left(self._sequences, upload.sequence) if is_known else 0
        if upload.state is not State.QUEUED or not ahead:
            return 1
        if not self._rate:
            return _SECONDS_WITHOUT_RATE
        return min(math.ceil((ahead + 1) / self._rate), _MOST_SECONDS)

    def late_since(self) -> datetime | None:
        """Since when the first has waited, if for some seconds. Raises StoreUnavailable."""
        first = self._uploads.oldest_queued()
        if first is None or now() - first.submitted_at < _LATE:
            return None
        return first.submitted_at

    def _look(self) -> list[int]:
        with self._lock:
            if self._clock() - self._looked_at >= _LOOK_EVERY_SECONDS:
                self._sequences = self._uploads.queued(MOST_PLACES)
                self._looked_at = self._clock()
                self._count()
            return self._sequences

    def _count(self) -> None:
        """How many have left the queue since the last count, a second."""
        seconds = self._looked_at - self._counted_at
        if seconds >= _COUNT_EVERY_SECONDS:
            first = self._sequences[0] if self._sequences else math.inf
            self._rate = bisect_left(self._counted, first) / seconds
            self._counted_at, self._counted = self._looked_at, self._sequences
