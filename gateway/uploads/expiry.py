"""Expiry: files and rejects of uploads that ended long ago are removed; their records stay.

With the file goes the idempotency key under which it came: it may then come again.
"""

from datetime import timedelta

from muster.contracts.uploads import FilesRemoved, now
from muster.stores import Stores

BATCH = 100


class FileExpiry:
    """Removes what ended more than so many `days` ago, a batch at a time; 0 keeps all for ever."""

    def __init__(self, stores: Stores, days: int) -> None:
        self._stores = stores
        self._days = days

    def run(self) -> int:
        """Remove the files of the oldest that are due; returns of how many uploads.

        At most BATCH: if so many, more may be due. Raises StoreUnavailable.
        """
        if not self._days:
            return 0
        moment = now()
        due = self._stores.uploads.expiring(moment - timedelta(self._days), BATCH)
        expired = {
            "files_removed": FilesRemoved("expired", moment),
            "idempotency_key": None,
            "fingerprint": None,
        }
        self._stores.remove_files({upload.id: expired for upload in due})
        return len(due)
