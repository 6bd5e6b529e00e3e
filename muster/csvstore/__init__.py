"""The CSV store port: the uploaded files and the upload records.

The upload record is the outbox: it is durable before anybody is told that the upload is accepted.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from muster.adapters import Adapter, load_adapter
from muster.backends.servers import ServerRefused
from muster.contracts.uploads import State, Upload
from muster.weather import Unavailable

ADAPTERS = {
    "file": Adapter("muster.csvstore.file", "FileCsvStore"),
    "mongodb": Adapter("muster.csvstore.mongodb", "MongoCsvStore", extra="mongodb"),
}


class StoreUnavailable(Unavailable):
    """The store did not answer in time, or is full."""

    awaits = "store"


class StoreRefused(ServerRefused, StoreUnavailable):
    """The server is too old; each call looks whether it still is, until one finds it is not."""


class UploadNotFound(Exception):
    """There is no such upload record."""


class FileNotStored(Exception):
    """There is no such file in the store."""


class FileDamaged(Exception):
    """The file is there and some of its bytes are lost, for certain and for good."""


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

    `upload_id` is None where not even that can be read. `format` names what its reader takes for a
    record (`muster.contracts.uploads.record_format`).
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


class FileWriter(Protocol):
    """A file being written."""

    def write(self, data: bytes, /) -> int:
        """Append `data`; raises StoreUnavailable."""


class CsvStore(Protocol):
    """Files and upload records; safe to share between threads and processes.

    Every call may raise StoreUnavailable. A record that can't be read is set aside, durably: what
    is asked for by its id or key raises UnreadableRecord, and what gives several records leaves it
    out. That binds readers of the same record format only: another version tries for itself.
    """

    def write_file(self, name: str) -> AbstractContextManager[FileWriter]:
        """Write the file `name`: it is there, whole and durable, once the block ends well.

        When the block raises, or the process dies in it, nothing is to be seen of it, and a file of
        that name that was there before stays.
        """

    def open_file(self, name: str) -> BinaryIO:
        """Read the file `name`, from its start; seekable. Raises FileNotStored or FileDamaged.

        Reading raises StoreUnavailable, and FileDamaged once it is certain that what is missing
        was looked for in the store as it stands, and not in a copy that lags behind.
        """

    def file_size(self, name: str) -> int:
        """The bytes of file `name`. Raises FileNotStored."""

    def delete_file(self, name: str) -> None:
        """Remove the file `name`, if it is there."""

    def accept(self, upload: Upload) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored.

        An upload accepted after this returned has a greater sequence. Raises KeyTaken when the
        owner's idempotency key belongs to another record.
        """

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""

    def update(self, upload_id: str, *, expect: Collection[State], **changes: Any) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`.

        Returns the record as it stands then, its `version` raised. Raises UploadNotFound or
        StateConflict.
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

    def find_mending(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that mend the rejected rows of that upload, newest first."""

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

    def unfinished(self, up_to: int) -> list[Upload]:
        """Records that are not final, or not announced, of sequence `up_to` or less, in order."""

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""

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

    def sweep(self, older_than: float) -> int:
        """Remove files, whole or partial, that no record names and that are `older_than` seconds
        old; returns how many.
        """

    def check(self) -> None:
        """Return if the store can be read and written."""

    def close(self) -> None:
        """Give up connections. The store can't be used afterwards."""


def open_csv_store(url: str, places: int | None = None) -> CsvStore:
    """The CSV store at `url`; connects at first use. Raises ConfigurationError.

    `places` is how many threads may wait at once for one behind a network; any if it is None.
    """
    store: CsvStore = load_adapter("CSV store", url, ADAPTERS)(url, places)
    return store
