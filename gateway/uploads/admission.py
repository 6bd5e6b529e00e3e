"""Who may send an upload now: each user has a share of what waits, and the wait has a bound.

Both, and the bytes of a day (`quota.py`), are asked before the body of a request is read, and cost
nothing where they are not set.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from prometheus_client import Counter

from gateway.errors import QueueTooLong, TooManyBytes, TooManyUploads
from gateway.uploads.begun import BegunUploads
from gateway.uploads.quota import Allowance, DayQuota
from muster.contracts.uploads import now
from muster.http.rate_limits import RateLimit, announce
from muster.uploadstore import UploadStore

_SHARE, _QUEUE, _BYTES = "share", "queue", "bytes"
_LOOK_EVERY_SECONDS = 1.0

REFUSED = Counter("muster_uploads_refused_total", "Uploads that found no place.", ("reason",))
# From 0: a rate over a series that begins at its first event misses that event.
for _reason in (_SHARE, _QUEUE, _BYTES):
    REFUSED.labels(_reason)


class Admission:
    """Gives places to uploads, to each user so many that are not final; 0 is no limit.

    There are none while an upload has been queued for more than `max_queued_seconds`, unless that
    is 0. Requests of this process are counted exactly. Several processes that take some of one user
    at the same moment don't see each other's until these are accepted.
    """

    def __init__(
        self,
        uploads: UploadStore,
        uploads_per_user: int,
        max_queued_seconds: float,
        bytes_a_day: int = 0,
        begun: BegunUploads | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._share = uploads_per_user
        self._bound = max_queued_seconds
        self._quota = DayQuota(uploads, bytes_a_day, begun)
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: defaultdict[str, int] = defaultdict(int)
        self._looked_at = -math.inf
        self._late_by = 0.0

    def take_place(self, user: str, key: str | None, size: int = 0, counted: int = 0) -> "Place":
        """Take a place for an upload of at least `size` bytes that is about to come.

        So many of them are `counted` already, as those of an upload in parts.

        What the user's idempotency key brought in before needs no place: it is told again. Raises
        TooManyUploads, TooManyBytes or QueueTooLong.
        """
        if self._bound and (overdue := self._overdue()) > 0:
            self._refuse(user, key, _QUEUE, QueueTooLong(self._bound, overdue))
        with ExitStack() as taken:
            if self._share:
                coming = self._begin(user)
                taken.callback(self._has_come, user)
                taken_places = self._uploads.count_unfinished(user, self._share) + coming
                left = self._share - taken_places
                announce(RateLimit("uploads", self._share, left, unit="concurrent-requests"))
                if left < 0:
                    self._refuse(user, key, _SHARE, TooManyUploads(self._share))
            allowance = self._allow(user, key, size, counted)
            if allowance is not None:
                taken.callback(allowance.end)
            return Place(taken.pop_all(), allowance)

    def _allow(self, user: str, key: str | None, size: int, counted: int) -> Allowance | None:
        try:
            return self._quota.begin(user, size, counted)
        except TooManyBytes as refusal:
            self._refuse(user, key, _BYTES, refusal)
            return None

    def _begin(self, user: str) -> int:
        """Count one more that comes of the user; returns how many do."""
        with self._lock:
            self._coming[user] += 1
            return self._coming[user]

    def _overdue(self) -> float:
        """By how many seconds the oldest queued upload is older than the bound, a second ago.

        One request a second asks the store; the others take what was found before.
        """
        with self._lock:
            if self._clock() - self._looked_at < _LOOK_EVERY_SECONDS:
                return self._late_by
            self._looked_at = self._clock()
        oldest = self._uploads.oldest_queued()
        waited = 0.0 if oldest is None else (now() - oldest.submitted_at).total_seconds()
        self._late_by = waited - self._bound
        return self._late_by

    def _refuse(self, user: str, key: str | None, reason: str, refusal: Exception) -> None:
        """Raise the refusal, unless this is a request that was accepted before."""
        if key is not None and self._uploads.find_by_key(user, key) is not None:
            return
        REFUSED.labels(reason).inc()
        raise refusal

    def _has_come(self, user: str) -> None:
        with self._lock:
            self._coming[user] -= 1
            if not self._coming[user]:
                del self._coming[user]


class Place:
    """What an upload that comes has of its user's share, and of the bytes of the day."""

    def __init__(self, taken: ExitStack, allowance: Allowance | None) -> None:
        self._taken = taken
        self._allowance = allowance

    def receive(self, count: int) -> None:
        """Count bytes of the file. Raises TooManyBytes."""
        if self._allowance is None:
            return
        try:
            self._allowance.receive(count)
        except TooManyBytes:
            REFUSED.labels(_BYTES).inc()
            raise

    def keep(self) -> None:
        """The upload was accepted."""
        if self._allowance is not None:
            self._allowance.keep()

    def leave(self) -> None:
        """The upload has come, or nothing more of it will."""
        self._taken.close()
