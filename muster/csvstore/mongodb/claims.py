"""Idempotency keys held by calls in flight, in MongoDB."""

import time
from collections.abc import Callable

from pymongo.errors import DuplicateKeyError

from muster.contracts.uploads import Upload
from muster.csvstore import KeyTaken
from muster.csvstore.mongodb.connection import Connection


class Claims:
    """One document for each owner and key in the collection `claims`.

    They expire by the clocks of the services, which must agree to within a few seconds.
    """

    def __init__(
        self, connection: Connection, find_by_key: Callable[[str, str], Upload | None]
    ) -> None:
        self._connection = connection
        self._find_by_key = find_by_key

    def claim(self, owner: str, key: str, seconds: float) -> None:
        """Hold the key, or take over a claim that has expired; raises KeyTaken."""
        now = time.time()
        with self._connection.using() as database:
            try:
                # A claim that still holds is not matched, so its owner and key are inserted anew,
                # which the unique `_id` refuses.
                database["claims"].update_one(
                    {"_id": {"owner": owner, "key": key}, "expires_at": {"$lte": now}},
                    {"$set": {"expires_at": now + seconds}},
                    upsert=True,
                )
            except DuplicateKeyError as error:
                raise KeyTaken(self._find_by_key(owner, key)) from error
        # Looked for only now: the call that held the key before may have ended in an upload.
        used = self._find_by_key(owner, key)
        if used is not None:
            self.release(owner, key)
            raise KeyTaken(used)

    def renew(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""
        with self._connection.using() as database:
            database["claims"].update_one(
                {"_id": {"owner": owner, "key": key}},
                {"$set": {"expires_at": time.time() + seconds}},
            )

    def release(self, owner: str, key: str) -> None:
        """End the claim."""
        with self._connection.using() as database:
            database["claims"].delete_one({"_id": {"owner": owner, "key": key}})

    def remove_expired(self) -> None:
        """Forget claims whose time is over."""
        with self._connection.using() as database:
            database["claims"].delete_many({"expires_at": {"$lte": time.time()}})
