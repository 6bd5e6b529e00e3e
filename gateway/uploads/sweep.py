"""Sweeping: files that no upload record names are removed once they are old enough.

A file comes before its record, so one whose accept was broken off stays behind without any.
"""

from itertools import islice

from muster.stores import Stores

_BATCH = 1000


def sweep(stores: Stores, older_than: float) -> int:
    """Remove files, whole or partial, of `older_than` seconds that no record names.

    Returns how many. Raises StoreUnavailable.
    """
    names, removed = stores.files.names(older_than), 0
    while batch := list(islice(names, _BATCH)):
        unnamed = stores.uploads.unnamed(batch)
        for name in unnamed:
            stores.files.delete(name)
        removed += len(unnamed)
    return removed
