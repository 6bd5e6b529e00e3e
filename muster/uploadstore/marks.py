"""Marks that are set on many records at once, a little later.

By then most have theirs: what changes a record next sets it as well. To mark each at once would be
one more change of every record, among the dearest things that an upload costs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from muster.uploadstore import Mark, UploadStore

SECONDS = 0.7


class LateMarks:
    """Those of one kind that are still to be set. Any thread may add, one at a time may set them.

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

    def __len__(self) -> int:
        return len(self._waiting)

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

    def _set(self, until: float) -> None:
        due = [upload_id for at, upload_id in [*self._waiting] if at <= until]
        if not due:
            return
        self._uploads.mark(self._mark, due)
        for _ in due:
            self._waiting.popleft()
