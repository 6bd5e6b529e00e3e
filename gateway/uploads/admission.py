"""Who may send an upload now: each user has a share of what waits to be loaded.

It is asked before the body of a request is read, and costs nothing where no share is set.
"""

import threading
from collections import defaultdict
from collections.abc import Callable

from prometheus_client import Counter

from gateway.errors import TooManyUploads
from muster.uploadstore import UploadStore

_SHARE = "share"

REFUSED = Counter("muster_uploads_refused_total", "Uploads that found no place.", ("reason",))
# From 0: a rate over a series that begins at its first event misses that event.
REFUSED.labels(_SHARE)


class Admission:
    """Gives places to uploads: so many to each user's that are not final; 0 is no limit.

    Requests of this process are counted exactly. Several processes that take some of one user at
    the same moment don't see each other's until these are accepted.
    """

    def __init__(self, uploads: UploadStore, uploads_per_user: int) -> None:
        self._uploads = uploads
        self._share = uploads_per_user
        self._lock = threading.Lock()
        self._coming: defaultdict[str, int] = defaultdict(int)

    def take_place(self, user: str, key: str | None) -> Callable[[], None]:
        """Take a place for an upload that is about to come; returns what ends its coming.

        What the user's idempotency key brought in before needs no place: it is told again. Raises
        TooManyUploads.
        """
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
