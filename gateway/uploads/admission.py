"""Who may send an upload now: each user has a share of what waits, and the wait has a bound.

Both are asked before the body of a request is read, and cost nothing where they are not set.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from prometheus_client import Counter

from gateway.errors import QueueTooLong, TooManyUploads
from muster.contracts.uploads import now
from muster.uploadstore import UploadStore

_SHARE, _QUEUE = "share", "queue"
_LOOK_EVERY_SECONDS = 1.0

REFUSED = Counter("muster_uploads_refused_total", "Uploads that found no place.", ("reason",))
# From 0: a rate over a series that begins at its first event misses that event.
for _reason in (_SHARE, _QUEUE):
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._share = uploads_per_user
        self._bound = max_queued_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: defaultdict[str, int] = defaultdict(int)
        self._looked_at = -math.inf
        self._late_by = 0.0

    def take_place(self, user: str, key: str | None) -> Callable[[], None]:
        """Take a place for an upload that is about to come; returns what ends its coming.

        What the user's idempotency key brought in before needs no place: it is told again. Raises
        TooManyUploads or QueueTooLong.
        """
        if self._bound and (overdue := self._overdue()) > 0:
            self._refuse(user, key, _QUEUE, QueueTooLong(self._bound, overdue))
        if not self._share:
            return _nothing
        with self._lock:
            self._coming[user] += 1
            coming = self._coming[user]
        try:
            if self._uploads.count_unfinished(user, self._share) + coming > self._share:
                self._refuse(user, key, _SHARE, TooManyUploads(self._share))
        except BaseException:
            self._has_come(user)
            raise
        return lambda: self._has_come(user)

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


def _nothing() -> None:
    pass
