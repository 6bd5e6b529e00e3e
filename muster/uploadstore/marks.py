"""Marks that are set on many records at once, a little later.

By then most have theirs: what changes a record next sets it as well. To mark each at once would be
one more change of every record, among the dearest things that an upload costs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Event

import structlog

from muster.uploadstore import Mark, UploadStore
from muster.weather import Unavailable

log = structlog.get_logger(__name__)

SECONDS = 0.7


class LateMarks:
    """Those of one kind that are still to be set. Any thread may add and set them.

    If the process ends before, or the store's machine does, the records lack them: then a message
    goes out again, which does no harm.
    """

    def __init__(
        self,
        uploads: UploadStore,
        mark: Mark,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._mark = mark
        self._clock = clock
        self._waiting: deque[tuple[float, str]] = deque()

    def add(self, upload_ids: Iterable[str]) -> None:
        """Have these records marked."""
        at = self._clock()
        self._waiting.extend((at, upload_id) for upload_id in upload_ids)

    def set_due(self) -> None:
        """Mark what was added 0.7 s ago or before; raises StoreUnavailable, and keeps them."""
        self._set(self._clock() - SECONDS)

    def set_all(self) -> None:
        """Mark all that were added; raises StoreUnavailable, and keeps them."""
        self._set(self._clock())

    def run(self, stop: Event) -> None:
        """Set what is due, again and again, and at the stop all; whatever is away."""
        while not stop.wait(SECONDS):
            self._try(self.set_due)
        self._try(self.set_all)

    @staticmethod
    def _try(set_them: Callable[[], None]) -> None:
        try:
            set_them()
        except Unavailable as error:
            log.warning("marks are set later", error=repr(error))
        except Exception:
            log.exception("marks can't be set")

    def _set(self, until: float) -> None:
        due = [*self._take(until)]
        if not due:
            return
        try:
            self._uploads.mark(self._mark, [upload_id for _, upload_id in due])
        except BaseException:
            self._waiting.extendleft(reversed(due))
            raise

    def _take(self, until: float) -> Iterator[tuple[float, str]]:
        # Another thread may take the last between the look and the take.
        with suppress(IndexError):
            while self._waiting[0][0] <= until:
                yield self._waiting.popleft()
