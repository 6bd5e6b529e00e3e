"""How many bytes each user may send in a day.

A day is one of UTC, so that it is plain when it ends. The bytes are those of the files, inflated.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.errors import TooManyBytes
from gateway.uploads.begun import BegunUploads
from muster.contracts.uploads import now
from muster.http.rate_limits import RateLimit, announce
from muster.uploadstore import UploadStore

_DAY = 24 * 3600


@dataclass
class _Coming:
    """What comes of a user: requests, and bytes since there were none, `kept` of them for good."""

    requests: int = 0
    bytes: int = 0
    kept: int = 0


class DayQuota:
    """Lets each user send so many bytes in a day; 0 is no limit, and asks the store nothing.

    What comes at once in this process is counted, so that together it is never more. Several
    processes don't see what the others have not accepted yet.
    """

    def __init__(
        self,
        uploads: UploadStore,
        limit: int,
        begun: BegunUploads | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._uploads = uploads
        self._limit = limit
        self._begun = begun
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: defaultdict[str, _Coming] = defaultdict(_Coming)

    def begin(self, user: str, size: int, counted: int = 0) -> "Allowance | None":
        """Begin to count a file of at least `size` bytes; None without a limit.

        It is counted among what is begun with `counted` bytes.

        Raises TooManyBytes and StoreUnavailable.
        """
        if not self._limit:
            return None
        with self._lock:
            coming = self._coming[user]
            coming.requests += 1
            coming.bytes += size
            kept = coming.kept
        allowance = Allowance(self, user, size)
        try:
            today = self._clock().date()
            sent = self._uploads.bytes_of_day(user, today) - counted
            if self._begun is not None:
                sent += self._begun.bytes_of_day(user, today)
            # What was kept before the store was asked is in its answer.
            allowance.sent_before = sent - kept
            self.check(allowance)
        except BaseException:
            allowance.end()
            raise
        return allowance

    def add(self, user: str, size: int) -> None:
        """Count bytes that have come beside those that were expected, or fewer."""
        with self._lock:
            self._coming[user].bytes += size

    def check(self, allowance: "Allowance") -> None:
        """Raise TooManyBytes if the user has sent too much."""
        with self._lock:
            total = allowance.sent_before + self._coming[allowance.user].bytes
        moment = self._clock()
        midnight = datetime.combine(moment.date() + timedelta(days=1), datetime.min.time())
        seconds = int((midnight - moment.replace(tzinfo=None)).total_seconds()) + 1
        left = self._limit - total
        announce(RateLimit("bytes", self._limit, left, _DAY, seconds, unit="content-bytes"))
        if left < 0:
            raise TooManyBytes(self._limit, seconds)

    def end(self, user: str, size: int, *, keeps: bool) -> None:
        """End the count of a file, whose bytes stay in it if it was accepted."""
        with self._lock:
            coming = self._coming[user]
            coming.requests -= 1
            if keeps:
                coming.kept += size
            else:
                coming.bytes -= size
            if not coming.requests:
                del self._coming[user]


class Allowance:
    """The bytes of one file that comes: at first as many as are expected, then what has come."""

    def __init__(self, quota: DayQuota, user: str, expected: int) -> None:
        self.user = user
        self.sent_before = 0
        self._quota = quota
        self._counted = expected
        self._received = 0
        self._is_kept = False

    def receive(self, count: int) -> None:
        """Count bytes. Raises TooManyBytes."""
        self._received += count
        if self._received > self._counted:
            self._quota.add(self.user, self._received - self._counted)
            self._counted = self._received
            self._quota.check(self)

    def keep(self) -> None:
        """The file was accepted."""
        self._is_kept = True

    def end(self) -> None:
        """No more comes of the file."""
        self._quota.end(self.user, self._counted, keeps=self._is_kept)
