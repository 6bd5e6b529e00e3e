"""Sweeping: files that no upload record names are removed once they are old enough.

A file comes before its record, so one whose accept was broken off stays behind without any. Parts
of an upload (`resumable.py`) are kept for as long as it may be finished.
"""

import math
import time
from collections.abc import Callable
from itertools import islice

from gateway.uploads.begun import LIFETIME, is_of_resumable
from muster.stores import Stores

_BATCH = 1000
# What was kept may become an orphan later, such as the rejects of a load that another overtook.
_WHOLE_EVERY_SECONDS = 24 * 3600.0
# By so much may clocks differ, and so long may a file be written.
_OVERLAP_SECONDS = 3600.0
# An hour more than an upload in parts may take: the last part may just be coming.
_PARTS_SECONDS = LIFETIME.total_seconds() + 3600.0


class OrphanSweep:
    """Sweeps again and again, each time what became old enough since, and once a day everything."""

    def __init__(
        self, stores: Stores, older_than: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._stores = stores
        self._older_than = older_than
        self._clock = clock
        self._swept_at = self._all_swept_at = -math.inf

    def run(self) -> int:
        """Returns how many files were removed.

        Raises StoreUnavailable; then the next run looks at what this one did not.
        """
        begun = self._clock()
        is_whole = not 0 <= begun - self._all_swept_at < _WHOLE_EVERY_SECONDS
        since = math.inf if is_whole else begun - self._swept_at + _OVERLAP_SECONDS
        removed = sweep(self._stores, self._older_than, self._older_than + since)
        removed += sweep_parts(self._stores, since)
        self._swept_at = begun
        if is_whole:
            self._all_swept_at = begun
        return removed


def sweep(stores: Stores, older_than: float, newer_than: float = math.inf) -> int:
    """Remove files, whole or partial, of `older_than` seconds that no record names.

    With `newer_than`, only of those last written in that time. Returns how many. Raises
    StoreUnavailable.
    """
    found, removed = stores.files.names(older_than, newer_than), 0
    names = (name for name in found if not is_of_resumable(name))
    while batch := list(islice(names, _BATCH)):
        unnamed = stores.uploads.unnamed(batch)
        for name in unnamed:
            stores.files.delete(name)
        removed += len(unnamed)
    return removed


def sweep_parts(stores: Stores, newer_than: float = math.inf) -> int:
    """Remove what belongs to uploads in parts that may no longer be finished, or long are.

    With `newer_than`, only what became old enough in that time. Returns how many files. Raises
    StoreUnavailable.
    """
    removed = 0
    for name in stores.files.names(_PARTS_SECONDS, _PARTS_SECONDS + newer_than):
        if is_of_resumable(name):
            stores.files.delete(name)
            removed += 1
    return removed
