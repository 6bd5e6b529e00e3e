"""The upload store port: upload records and idempotency keys. One adapter a module.

The record is the outbox: it is durable before anyone is told that the upload is accepted. `sqlite`
keeps records in a file, `mongodb` in a database. May import muster.backends and below.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from muster.adapters import Adapter, load_adapter
from muster.backends.shared import Shared
from muster.contracts.uploads import State, Upload

ADAPTERS = {
    "file": Adapter("muster.uploadstore.sqlite", "SqliteUploadStore"),
    "mongodb": Adapter("muster.uploadstore.mongodb", "MongoUploadStore", extra="mongodb"),
}


Mark = Literal["published", "announced"]
"""What a record says of its messages: the loader's is with the broker, or that it is final."""


class UploadNotFound(Exception):
    """There is no such upload record."""


class StateConflict(Exception):
    """The upload is not in a state in which that change is allowed; `upload` is as it stands."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"upload {upload.id} is {upload.state}")
        self.upload = upload


class KeyTaken(Exception):
    """The owner has used that idempotency key: for `upload`, or, if None, in a call in flight."""

    def __init__(self, upload: Upload | None) -> None:
        super().__init__("the idempotency key is taken")
        self.upload = upload


@dataclass(frozen=True)
class SetAside:
    """A record that was found unreadable, when, and why.

    `upload_id` is None where not even that can be read. `format` names the record format of its
    reader (`muster.contracts.uploads.record_format`).
    """

    upload_id: str | None
    format: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Backlog:
    """How many uploads are not final, or not announced, and when the oldest was accepted."""

    uploads: int
    oldest_at: datetime | None


class UploadStore(Protocol):
    """Upload records; safe to share between threads and processes.

    Every call may raise StoreUnavailable. A record that can't be read is set aside, durably: a call
    for it by its id or key raises UnreadableRecord, and a call for several records leaves it out.
    That binds readers of the same record format only: another version tries for itself.
    """

    def accept(self, upload: Upload, content: bytes | None = None) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored.

        The file of an upload that is `in_record` comes with it, as `content`. An upload accepted
        after this returned has a greater sequence. Raises KeyTaken when the owner's idempotency
        key belongs to another record.
        """

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""

    def contents(self, upload_ids: Collection[str]) -> dict[str, bytes]:
        """The files that are kept with the records, by their ids, in one call.

        A record that is not there, or that none is kept with, is left out.
        """

    def update(
        self, upload_id: str, *, expect: Collection[State], durable: bool = True, **changes: Any
    ) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`.

        Returns the record as it stands then, its `version` raised. If this need not be `durable`,
        what ends the store's machine may undo it. Raises UploadNotFound or StateConflict.
        """

    def update_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        expect: Collection[State],
        durable: bool = True,
    ) -> list[Upload]:
        """As `update`, for several records by their ids, in one call; each is changed by itself.

        Returns the records as they stand then, in order. One whose state is none of `expect` stays
        as it is; one that is not there, or can't be read, is left out.
        """

    def drop_contents(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State]
    ) -> list[Upload]:
        """As `update_each`, durably; files that are kept with the changed records go with it."""

    def mark(self, mark: Mark, upload_ids: Collection[str]) -> None:
        """Set the mark on those of the records that lack it, in one call; nothing else changes.

        What ends the store's machine may undo it. It is set on what can't be read, too.
        """

    def find(
        self,
        *,
        owner: str | None,
        state: State | None,
        table: str | None,
        before: int | None,
        limit: int,
    ) -> list[Upload]:
        """At most `limit` records, newest first, of a sequence below `before`. None means any."""

    def find_corrections(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that correct rejected rows of that upload, newest first."""

    def find_undoing(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that undo that upload, newest first; a dry run undoes nothing."""

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's idempotency key belongs to."""

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the idempotency key for a call in flight, for `seconds` unless held again.

        Raises KeyTaken when it belongs to an upload or another call holds it.
        """

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""

    def release_key(self, owner: str, key: str) -> None:
        """End the claim; an upload accepted with the key keeps it."""

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose `upload.accepted` is not known to be queued, in order of acceptance."""

    def unfinished(self, after: int, limit: int) -> list[Upload]:
        """At most `limit` records that are not final, or not announced, in order.

        They are of a sequence greater than `after`.
        """

    def following(self, after: int, limit: int) -> list[Upload]:
        """The records of the `limit` sequences after that one, in order."""

    def oldest_queued(self) -> Upload | None:
        """The record that has waited longest to be loaded: how late the loader is."""

    def queued(self, limit: int) -> list[int]:
        """The sequences of the first `limit` queued records, in order."""

    def count_unfinished(self, owner: str, limit: int) -> int:
        """How many uploads of the owner are not final, counted in an index and up to `limit`."""

    def bytes_of_day(self, owner: str, day: date) -> int:
        """The bytes of all files that the owner has sent on that day in UTC."""

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""

    def expiring(self, before: datetime, limit: int) -> list[Upload]:
        """At most `limit` final records that ended before then and have files, oldest first."""

    def erased_by(self, erasure: str, after: int, limit: int) -> list[Upload]:
        """At most `limit` records whose files that erasure removed, in order.

        They are of a sequence greater than `after`.
        """

    def backlog(self) -> Backlog:
        """What the loader has still to do; counted in an index."""

    def set_aside(self, limit: int) -> list[SetAside]:
        """At most `limit` records that were set aside, by whichever version, oldest first."""

    def count_set_aside(self) -> int:
        """How many records are set aside for this version."""

    def put_back(self, upload_id: str | None = None) -> int:
        """Have the record read again, or all that were set aside; returns how many they were."""

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        """The record as soon as its version is not `version`, or as it is after `timeout` seconds.

        Raises UploadNotFound.
        """

    def oldest_unpublished(self) -> Upload | None:
        """The record that has waited longest to be published: the outbox's age."""

    def unnamed(self, files: Iterable[str]) -> set[str]:
        """Those of `files` that no record needs (`muster.contracts.uploads.is_named`)."""

    def check(self) -> None:
        """Return if the store can be read and written."""

    def close(self) -> None:
        """Give up connections. The store can't be used afterwards."""


def open_upload_store(url: str, shared: Shared | None = None) -> UploadStore:
    """The upload store at `url`; connects at first use. Raises ConfigurationError.

    One behind a network takes places and its connection from `shared`.
    """
    store: UploadStore = load_adapter("CSV store", url, ADAPTERS)(url, shared or Shared())
    return store
