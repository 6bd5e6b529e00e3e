"""The half of the MongoDB CSV store that keeps upload records."""

import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from muster.csvstore import KeyTaken, StateConflict, UploadNotFound
from muster.csvstore.mongodb.connection import Connection, Document, next_sequence
from muster.uploads import State, Upload, to_fields

# A change stream would tell at once, but only from a replica set, and it holds a connection for
# each that waits. Reading one document by its key costs the server next to nothing.
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.01, 0.25, 1.3


class Records:
    """Upload records in the collection `uploads`; see CsvStore for what is promised."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def accept(self, upload: Upload) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored."""
        with self._connection.using() as database:
            accepted = replace(upload, sequence=next_sequence(database))
            try:
                database["uploads"].insert_one(_document_of(accepted))
            except DuplicateKeyError as error:
                if upload.idempotency_key is None:
                    raise
                used = _find_by_key(database, upload.owner, upload.idempotency_key)
                if used is None:
                    raise
                raise KeyTaken(used) from error
            return accepted

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""
        with self._connection.using() as database:
            document = database["uploads"].find_one({"_id": upload_id})
        if document is None:
            raise UploadNotFound(upload_id)
        return _upload_of(document)

    def update(self, upload_id: str, *, expect: Collection[State], **changes: Any) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`."""
        with self._connection.using() as database:
            result = database["uploads"].update_one(
                {"_id": upload_id, **_in_state(expect)},
                {"$set": to_fields(changes), "$inc": {"version": 1}},
            )
        upload = self.get(upload_id)
        if not result.matched_count:
            raise StateConflict(upload)
        return upload

    def find(
        self,
        *,
        owner: str | None,
        state: State | None,
        table: str | None,
        before: int | None,
        limit: int,
    ) -> list[Upload]:
        """At most `limit` records, newest first, of a sequence below `before`."""
        wanted = {
            "owner": owner,
            "state": state,
            "table": table,
            "sequence": None if before is None else {"$lt": before},
        }
        query = {name: value for name, value in wanted.items() if value is not None}
        return self._select(query, DESCENDING, limit)

    def find_mending(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that mend the rejected rows of that upload, newest first."""
        return self._select({"previous": upload_id}, DESCENDING, limit)

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's idempotency key belongs to."""
        with self._connection.using() as database:
            return _find_by_key(database, owner, key)

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose `upload.accepted` is not known to be queued, in order of acceptance."""
        return self._select({"published": False}, ASCENDING, limit)

    def oldest_unpublished(self) -> Upload | None:
        """The record that has waited longest to be published."""
        return next(iter(self.unpublished(1)), None)

    def unfinished(self, up_to: int) -> list[Upload]:
        """Records that are not final, or not announced, of sequence `up_to` or less, in order."""
        # What is not final is not announced either.
        return self._select({"announced": False, "sequence": {"$lte": up_to}}, ASCENDING)

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""
        return self._select({"state": State.QUEUED, "cancel_requested": True}, ASCENDING)

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        """The record as soon as its version is not `version`, or as it is after `timeout` s."""
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while (upload := self.get(upload_id)).version == version:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return upload

    def which_exist(self, upload_ids: Iterable[str]) -> set[str]:
        """Those of `upload_ids` that have a record."""
        with self._connection.using() as database:
            found = database["uploads"].find({"_id": {"$in": list(upload_ids)}}, {"_id": 1})
            return {document["_id"] for document in found}

    def _select(self, query: Document, order: int, limit: int | None = None) -> list[Upload]:
        with self._connection.using() as database:
            cursor = database["uploads"].find(query).sort("sequence", order)
            return [_upload_of(each) for each in (cursor if limit is None else cursor.limit(limit))]


def _find_by_key(database: Database[Document], owner: str, key: str) -> Upload | None:
    document = database["uploads"].find_one({"owner": owner, "idempotency_key": key})
    return None if document is None else _upload_of(document)


def _in_state(expect: Collection[State]) -> Document:
    # By the states that it must not have, for which no index is a match for `_id`.
    others = set(State) - set(expect)
    return {"state": {"$nin": sorted(others)}} if others else {}


def _document_of(upload: Upload) -> Document:
    # Times stay text: a BSON date has no microseconds.
    document = upload.to_document()
    document["_id"] = document.pop("id")
    return document


def _upload_of(document: Document) -> Upload:
    document["id"] = document.pop("_id")
    return Upload.from_document(document)
