"""The upload store in MongoDB: `mongodb://host:port/database`.

A record is a document in `uploads`, a claimed idempotency key one in `claims`; `counters` holds the
last sequence.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateOne, WriteConcern
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from muster.backends.mongodb import Document, connection_to
from muster.backends.shared import Shared
from muster.contracts.uploads import (
    UNFINISHED,
    State,
    UnreadableRecord,
    Upload,
    is_named,
    now,
    record_format,
    to_fields,
    upload_of_file,
)
from muster.uploadstore import (
    Backlog,
    KeyTaken,
    Mark,
    SetAside,
    StateConflict,
    UploadNotFound,
)
from muster.weather import StoreUnavailable

log = structlog.get_logger(__name__)

# A change stream would notify at once, but only from a replica set, and it holds a connection for
# each that waits. Reading one document by its key costs the server next to nothing.
# Whoever has waited for long does not mind a little longer.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
_PAUSE_SHARE = 0.1

_FIRST_SPAN, _SPAN_GROWTH = 2, 8
# The greatest integer of BSON.
_BEYOND = 2**63 - 1
# What is not final is not announced either.
_OPEN: Document = {"announced": False}
# Beside the fields of the upload, which no reader of it knows: `{FORMAT: {reason, at}}`.
_MARKS = "set_aside"
# The file of an upload that is `in_record`. Versions that do not know it set the record aside.
_CONTENT = "content"
_RECORD = {_CONTENT: 0}


_INDEXES = [
    IndexModel([("sequence", ASCENDING)], unique=True),
    IndexModel([("owner", ASCENDING), ("sequence", ASCENDING)]),
    IndexModel([("owner", ASCENDING), ("submitted_at", ASCENDING), ("size", ASCENDING)]),
    IndexModel([("state", ASCENDING), ("sequence", ASCENDING)]),
    IndexModel([("table", ASCENDING), ("sequence", ASCENDING)]),
    IndexModel(
        [("owner", ASCENDING), ("idempotency_key", ASCENDING)],
        unique=True,
        # Not {"$type": "string"}, which the planner does not take for implied by a key.
        partialFilterExpression={"idempotency_key": {"$gte": ""}},
    ),
    IndexModel(
        [("published", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"published": False},
    ),
    IndexModel(
        [("announced", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"announced": False},
    ),
    IndexModel(
        [("owner", ASCENDING), ("state", ASCENDING)],
        partialFilterExpression={"announced": False},
    ),
    IndexModel(
        [("cancel_requested", ASCENDING), ("state", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"cancel_requested": True},
    ),
    IndexModel(
        [("previous", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"previous": {"$gte": ""}},
    ),
    IndexModel(
        [("undoes", ASCENDING), ("options.dry_run", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"undoes": {"$gte": ""}},
    ),
    IndexModel([("files_removed.why", ASCENDING), ("finished_at", ASCENDING)]),
    IndexModel(
        [("files_removed.by", ASCENDING), ("sequence", ASCENDING)],
        partialFilterExpression={"files_removed.by": {"$gte": ""}},
    ),
    IndexModel([("set_aside", ASCENDING)], sparse=True),
]


class MongoUploadStore:
    """Upload records and idempotency keys; see UploadStore for what is promised.

    Claims of keys expire by the clocks of the services, which must agree to within a few seconds.
    """

    def __init__(self, url: str, shared: Shared) -> None:
        self.connection = connection_to(url, shared, "CSV store")
        self.connection.prepare_by(_prepare)

    def accept(self, upload: Upload, content: bytes | None = None) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored."""
        with self.connection.using() as database:
            accepted = replace(upload, sequence=_next_sequence(database))
            try:
                database["uploads"].insert_one(_document_of(accepted, content))
            except DuplicateKeyError as error:
                if upload.idempotency_key is None:
                    raise
                used = self.find_by_key(upload.owner, upload.idempotency_key)
                if used is None:
                    raise
                raise KeyTaken(used) from error
            return accepted

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""
        with self.connection.using() as database:
            document = database["uploads"].find_one({"_id": upload_id}, _RECORD)
        if document is None:
            raise UploadNotFound(upload_id)
        return self._read(document)

    def contents(self, upload_ids: Collection[str]) -> dict[str, bytes]:
        """The files that are kept with the records, by their ids, in one call."""
        those = {"_id": {"$in": [*upload_ids]}}
        with self.connection.using() as database:
            found = [*database["uploads"].find(those, {_CONTENT: 1})]
        return {each["_id"]: each[_CONTENT] for each in found if _CONTENT in each}

    def update(
        self, upload_id: str, *, expect: Collection[State], durable: bool = True, **changes: Any
    ) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`."""
        with self.connection.using() as database:
            result = _uploads_of(database, durable=durable).update_one(
                {"_id": upload_id, "state": {"$in": sorted(expect)}},
                {"$set": to_fields(changes), "$inc": {"version": 1}},
            )
        upload = self.get(upload_id)
        if not result.matched_count:
            raise StateConflict(upload)
        return upload

    def update_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        expect: Collection[State],
        durable: bool = True,
    ) -> list[Upload]:
        """As `update`, for several records by their ids, in two calls of the server."""
        return self._change_each(changes, expect, {}, durable=durable)

    def drop_contents(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State]
    ) -> list[Upload]:
        """As `update_each`; the files that are kept with the changed records go with it."""
        return self._change_each(changes, expect, {"$unset": {_CONTENT: ""}}, durable=True)

    def _change_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        expect: Collection[State],
        more: Document,
        *,
        durable: bool,
    ) -> list[Upload]:
        if not changes:
            return []
        updates = [
            UpdateOne(
                {"_id": upload_id, "state": {"$in": sorted(expect)}},
                {"$set": to_fields(dict(fields)), "$inc": {"version": 1}, **more},
            )
            for upload_id, fields in changes.items()
        ]
        with self.connection.using() as database:
            _uploads_of(database, durable=durable).bulk_write(updates, ordered=False)
        return self._select({"_id": {"$in": [*changes]}}, ASCENDING)

    def mark(self, mark: Mark, upload_ids: Collection[str]) -> None:
        """Set the mark on those of the records that lack it."""
        lacking: Document = {"_id": {"$in": [*upload_ids]}, mark: False}
        with self.connection.using() as database:
            _uploads_of(database, durable=False).update_many(lacking, {"$set": {mark: True}})

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
        wanted = {"owner": owner, "state": state, "table": table}
        query = {name: value for name, value in wanted.items() if value is not None}
        if query:
            span = {} if before is None else {"sequence": {"$lt": before}}
            return self._select({**query, **span}, DESCENDING, limit)
        found: list[Upload] = []
        for sequences in self._spans(before, limit):
            found += self._select({"sequence": sequences}, DESCENDING, limit - len(found))
            if len(found) >= limit:
                break
        return found

    def find_corrections(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that correct rejected rows of that upload, newest first."""
        return self._select({"previous": upload_id}, DESCENDING, limit)

    def find_undoing(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that undo that upload, newest first."""
        query = {"undoes": upload_id, "options.dry_run": False}
        return self._select(query, DESCENDING, limit)

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's idempotency key belongs to."""
        with self.connection.using() as database:
            used = {"owner": owner, "idempotency_key": key}
            document = database["uploads"].find_one(used, _RECORD)
        return None if document is None else self._read(document)

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the key, or take over a claim that has expired; raises KeyTaken."""
        moment = time.time()
        with self.connection.using() as database:
            try:
                # A claim that still holds is not matched, so its owner and key are inserted anew,
                # which the unique `_id` refuses.
                database["claims"].update_one(
                    {**_claim_of(owner, key), "expires_at": {"$lte": moment}},
                    {"$set": {"expires_at": moment + seconds}},
                    upsert=True,
                )
            except DuplicateKeyError as error:
                raise KeyTaken(self.find_by_key(owner, key)) from error
        # Only now: the call that held the key before may have ended in an upload.
        used = self.find_by_key(owner, key)
        if used is not None:
            self.release_key(owner, key)
            raise KeyTaken(used)

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""
        with self.connection.using() as database:
            database["claims"].update_one(
                _claim_of(owner, key), {"$set": {"expires_at": time.time() + seconds}}
            )

    def release_key(self, owner: str, key: str) -> None:
        """End the claim; an upload accepted with the key keeps it."""
        with self.connection.using() as database:
            database["claims"].delete_one(_claim_of(owner, key))

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose `upload.accepted` is not known to be queued, in order of acceptance."""
        return self._select({"published": False}, ASCENDING, limit)

    def oldest_unpublished(self) -> Upload | None:
        """The record that has waited longest to be published."""
        return next(iter(self.unpublished(1)), None)

    def unfinished(self, after: int, limit: int) -> list[Upload]:
        """At most `limit` records that are not final, or not announced, beyond a sequence."""
        return self._select({**_OPEN, "sequence": {"$gt": after}}, ASCENDING, limit)

    def following(self, after: int, limit: int) -> list[Upload]:
        """The records of the `limit` sequences after that one, in order."""
        span = {"$gt": after, "$lte": after + limit}
        return self._select({"sequence": span}, ASCENDING)

    def oldest_queued(self) -> Upload | None:
        """The record that has waited longest to be loaded."""
        return next(iter(self._select({"state": State.QUEUED}, ASCENDING, 1)), None)

    def queued(self, limit: int) -> list[int]:
        """The sequences of the first `limit` queued records, in order."""
        query = {"state": State.QUEUED, **_not_set_aside()}
        with self.connection.using() as database:
            found = database["uploads"].find(query, {"sequence": 1, "_id": 0})
            return [int(each["sequence"]) for each in found.sort("sequence").limit(limit)]

    def count_unfinished(self, owner: str, limit: int) -> int:
        """How many uploads of the owner are not final, up to `limit`."""
        # What is open is asked for, too, for the index.
        query = {"owner": owner, "state": {"$in": sorted(UNFINISHED)}, **_OPEN, **_not_set_aside()}
        with self.connection.using() as database:
            return int(database["uploads"].count_documents(query, limit=limit))

    def bytes_of_day(self, owner: str, day: date) -> int:
        """The bytes of all files that the owner has sent on that day in UTC."""
        # Times are text in UTC, which begins with the day.
        span = {"$gte": day.isoformat(), "$lt": (day + timedelta(days=1)).isoformat()}
        with self.connection.using() as database:
            found = database["uploads"].aggregate(
                [
                    {"$match": {"owner": owner, "submitted_at": span}},
                    {"$group": {"_id": None, "bytes": {"$sum": "$size"}}},
                ]
            )
            return sum(int(each["bytes"]) for each in found)

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""
        return self._select({"state": State.QUEUED, "cancel_requested": True}, ASCENDING)

    def expiring(self, before: datetime, limit: int) -> list[Upload]:
        """At most `limit` final records whose files are kept, that ended before then."""
        ended = {"$gt": "", "$lt": before.astimezone(UTC).isoformat()}
        kept = {"files_removed.why": None, "finished_at": ended}
        return self._select(kept, ASCENDING, limit, by="finished_at")

    def erased_by(self, erasure: str, after: int, limit: int) -> list[Upload]:
        """At most `limit` records whose files that erasure removed, beyond a sequence."""
        theirs = {"files_removed.by": erasure, "sequence": {"$gt": after}}
        return self._select(theirs, ASCENDING, limit)

    def backlog(self) -> Backlog:
        """What the loader has still to do."""
        oldest = next(iter(self._select(_OPEN, ASCENDING, 1)), None)
        with self.connection.using() as database:
            number = database["uploads"].count_documents({**_OPEN, **_not_set_aside()})
        return Backlog(number, oldest.submitted_at if oldest else None)

    def set_aside(self, limit: int) -> list[SetAside]:
        """At most `limit` records that were set aside, by whichever version, oldest first."""
        with self.connection.using() as database:
            found = database["uploads"].find({_MARKS: {"$exists": True}}, {_MARKS: 1})
            marks = [mark for document in found for mark in _marks_of(document)]
        return sorted(marks, key=lambda mark: mark.at)[:limit]

    def count_set_aside(self) -> int:
        """How many records are set aside for this version."""
        # The first condition is for the index.
        marked = {_MARKS: {"$exists": True}, f"{_MARKS}.{record_format()}": {"$exists": True}}
        with self.connection.using() as database:
            return int(database["uploads"].count_documents(marked))

    def put_back(self, upload_id: str | None = None) -> int:
        """Have the record read again, or all that were set aside; returns how many they were."""
        those: Document = {_MARKS: {"$exists": True}}
        if upload_id is not None:
            those["_id"] = upload_id
        with self.connection.using() as database:
            return int(
                database["uploads"].update_many(those, {"$unset": {_MARKS: ""}}).modified_count
            )

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        """The record as soon as its version is not `version`, or as it is after `timeout` s."""
        deadline = time.monotonic() + timeout
        while (upload := self.get(upload_id)).version == version:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            waited = (now() - upload.submitted_at).total_seconds()
            pause = min(max(_SHORTEST_PAUSE, _PAUSE_SHARE * waited), _LONGEST_PAUSE)
            time.sleep(min(pause, left))
        return upload

    def unnamed(self, files: Iterable[str]) -> set[str]:
        """Those of `files` that no record names."""
        names = {*files}
        ids = [*{upload_of_file(name) for name in names}]
        with self.connection.using() as database:
            those = {"_id": {"$in": ids}, "files_removed.why": None}
            found = database["uploads"].find(those, {"state": 1, "rejects": 1})
            records = {each["_id"]: (each.get("state"), each.get("rejects")) for each in found}
        return {name for name in names if not is_named(name, records)}

    def check(self) -> None:
        """Return if the records can be read and written."""
        self.connection.check()

    def close(self) -> None:
        """Give up the connections."""
        self.connection.close()

    def _spans(self, before: int | None, limit: int) -> Iterator[Document]:
        """Spans of sequences from the newest to the oldest, each several times as long.

        Not all at once, because some servers sort whatever a query matches, though they have an
        index and its plan says that they use it.
        """
        upper, length = before, _FIRST_SPAN * limit
        if upper is None:
            with self.connection.using() as database:
                counter = database["counters"].find_one({"_id": "uploads"})
            upper = 1 + (int(counter["value"]) if counter else 0)
        end = _BEYOND if before is None else before
        while upper > 0:
            upper -= length
            yield {"$gte": max(upper, 0), "$lt": end}
            end, length = upper, length * _SPAN_GROWTH

    def _select(
        self, query: Document, order: int, limit: int | None = None, by: str = "sequence"
    ) -> list[Upload]:
        while True:
            with self.connection.using() as database:
                found = database["uploads"].find({**query, **_not_set_aside()}, _RECORD)
                cursor = found.sort(by, order)
                documents = list(cursor if limit is None else cursor.limit(limit))
            uploads = [upload for each in documents if (upload := self._try_to_read(each))]
            if len(uploads) == len(documents):
                return uploads

    def _try_to_read(self, document: Document) -> Upload | None:
        try:
            return self._read(document)
        except UnreadableRecord:
            return None

    def _read(self, document: Document) -> Upload:
        """The upload; raises UnreadableRecord once its record is set aside."""
        stored_id = document.pop("_id")
        try:
            return Upload.from_document({**document, "id": stored_id})
        except UnreadableRecord as error:
            error.upload_id = str(stored_id)
            self._set_aside(stored_id, error)
            raise

    def _set_aside(self, stored_id: Any, error: UnreadableRecord) -> None:
        mark = f"{_MARKS}.{record_format()}"
        with self.connection.using() as database:
            marked = database["uploads"].update_one(
                {"_id": stored_id, mark: {"$exists": False}},
                {"$set": {mark: {"reason": error.reason, "at": now().isoformat()}}},
            )
        if marked.modified_count:
            log.error("record set aside", upload_id=str(stored_id), reason=error.reason)


def _prepare(database: Database[Document]) -> None:
    """Make what indexes are missing, and the counter in a new database."""
    database["uploads"].create_indexes(_INDEXES)
    with suppress(DuplicateKeyError):
        database["counters"].update_one(
            {"_id": "uploads"}, {"$setOnInsert": {"value": 0}}, upsert=True
        )


def _uploads_of(database: Database[Document], *, durable: bool) -> MongoCollection[Document]:
    uploads = database["uploads"]
    return uploads if durable else uploads.with_options(write_concern=WriteConcern(w=1))


def _next_sequence(database: Database[Document]) -> int:
    """A number greater than every one that this gave before; some are left out."""
    document: Any = database["counters"].find_one_and_update(
        {"_id": "uploads"}, {"$inc": {"value": 1}}, return_document=ReturnDocument.AFTER
    )
    if document is None:
        raise StoreUnavailable("the counter of uploads is gone")
    return int(document["value"])


def _claim_of(owner: str, key: str) -> Document:
    return {"_id": {"owner": owner, "key": key}}


def _not_set_aside() -> Document:
    return {f"{_MARKS}.{record_format()}": {"$exists": False}}


def _marks_of(document: Document) -> list[SetAside]:
    return [
        SetAside(str(document["_id"]), of, mark["reason"], datetime.fromisoformat(mark["at"]))
        for of, mark in document[_MARKS].items()
    ]


def _document_of(upload: Upload, content: bytes | None) -> Document:
    # Times stay text: a BSON date has no microseconds.
    document = upload.to_document()
    document["_id"] = document.pop("id")
    return document if content is None else {**document, _CONTENT: content}
