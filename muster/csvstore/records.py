"""The half of the embedded CSV store that keeps records and idempotency keys, in SQLite."""

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from muster.backends.sqlite_file import SqliteFile
from muster.contracts.uploads import State, UnreadableRecord, Upload, is_named, upload_of_file
from muster.csvstore import Backlog, KeyTaken, SetAside, StateConflict, StoreUnavailable, rows

log = structlog.get_logger(__name__)

# Asking a file whether it changed costs microseconds, and SQLite tells no other process by itself.
_POLL_SECONDS = 0.02


class Records:
    """Upload records and idempotency keys in the file `path`; see CsvStore for what is promised."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, rows.SCHEMA, StoreUnavailable)

    def accept(self, upload: Upload) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored."""
        with self._noting_unreadable(), self._file.writing() as connection:
            if upload.idempotency_key is not None:
                _refuse_used_key(connection, upload.owner, upload.idempotency_key)
            [(sequence,)] = connection.execute(
                "INSERT INTO uploads (document) VALUES (?) RETURNING sequence",
                [rows.document_of(upload)],
            ).fetchall()
            return replace(upload, sequence=sequence)

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""
        with self._noting_unreadable(), self._file.connection() as connection:
            return rows.get(connection, upload_id)

    def update(self, upload_id: str, *, expect: Collection[State], **changes: Any) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`."""
        with self._noting_unreadable(), self._file.writing() as connection:
            upload = rows.get(connection, upload_id)
            if upload.state not in expect:
                raise StateConflict(upload)
            return rows.change(connection, upload, changes)

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
            "owner = ?": owner,
            rows.IN_STATE: state,
            rows.OF_TABLE: table,
            "sequence < ?": before,
        }
        terms = {term: value for term, value in wanted.items() if value is not None}
        return self._select(
            f"{' AND '.join(terms) or 'TRUE'} ORDER BY sequence DESC LIMIT ?",
            *terms.values(),
            limit,
        )

    def find_mending(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that mend the rejected rows of that upload, newest first."""
        return self._select(f"{rows.PREVIOUS} = ? ORDER BY sequence DESC LIMIT ?", upload_id, limit)

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's idempotency key belongs to."""
        with self._noting_unreadable(), self._file.connection() as connection:
            return rows.find_by_key(connection, owner, key)

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the idempotency key for a call in flight; raises KeyTaken."""
        now = time.time()
        with self._noting_unreadable(), self._file.writing() as connection:
            _refuse_used_key(connection, owner, key)
            connection.execute("DELETE FROM claims WHERE expires_at <= ?", [now])
            claimed = connection.execute(
                "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [owner, key, now + seconds],
            )
            if not claimed.rowcount:
                raise KeyTaken(None)

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE claims SET expires_at = ? WHERE owner = ? AND key = ?",
                [time.time() + seconds, owner, key],
            )

    def release_key(self, owner: str, key: str) -> None:
        """End the claim; an upload accepted with the key keeps it."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM claims WHERE owner = ? AND key = ?", [owner, key])

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose `upload.accepted` is not known to be queued, in order of acceptance."""
        return self._select(f"{rows.UNPUBLISHED} ORDER BY sequence LIMIT ?", limit)

    def oldest_unpublished(self) -> Upload | None:
        """The record that has waited longest to be published."""
        return next(iter(self.unpublished(1)), None)

    def unfinished(self, up_to: int) -> list[Upload]:
        """Records that are not final, or not announced, of sequence `up_to` or less, in order."""
        return self._select(f"{rows.OPEN} AND sequence <= ? ORDER BY sequence", up_to)

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""
        return self._select(f"{rows.CANCELLING} ORDER BY sequence")

    def backlog(self) -> Backlog:
        """What the loader has still to do."""
        oldest = next(iter(self._select(f"{rows.OPEN} ORDER BY sequence LIMIT 1")), None)
        with self._file.connection() as connection:
            number = rows.count(connection, rows.OPEN)
        return Backlog(number, oldest.submitted_at if oldest else None)

    def set_aside(self, limit: int) -> list[SetAside]:
        """At most `limit` records that were set aside, by whichever version, oldest first."""
        with self._file.connection() as connection:
            return rows.list_set_aside(connection, limit)

    def count_set_aside(self) -> int:
        """How many records are set aside for this version."""
        with self._file.connection() as connection:
            return rows.count_set_aside(connection)

    def put_back(self, upload_id: str | None = None) -> int:
        """Have the record read again, or all that were set aside; returns how many they were."""
        with self._file.writing() as connection:
            return rows.put_back(connection, upload_id)

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        """The record as soon as its version is not `version`, or as it is after `timeout` s."""
        deadline = time.monotonic() + timeout
        # SQLite counts what other connections commit, so this one must not be shared meanwhile:
        # https://sqlite.org/pragma.html#pragma_data_version
        with self._noting_unreadable(), self._file.connection() as connection:
            while True:
                seen = _data_version(connection)
                upload = rows.get(connection, upload_id)
                if upload.version != version:
                    return upload
                while _data_version(connection) == seen:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return upload
                    time.sleep(min(_POLL_SECONDS, left))

    def unnamed(self, files: Iterable[str]) -> set[str]:
        """Those of `files` that no record names."""
        names = {*files}
        with self._file.connection() as connection:
            # Of a document that is no JSON nothing but its id in the index can be had.
            found = connection.execute(
                "SELECT value, CASE WHEN json_valid(document) THEN state END, "
                "CASE WHEN json_valid(document) THEN json_extract(document, '$.rejects') END "
                "FROM json_each(?) JOIN uploads ON uploads.id = value",
                [json.dumps([*{upload_of_file(name) for name in names}])],
            )
            records = {row[0]: (row[1], row[2]) for row in found}
        return {name for name in names if not is_named(name, records)}

    def check(self) -> None:
        """Return if the records can be read and written."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM claims WHERE expires_at <= ?", [time.time()])

    def close(self) -> None:
        """Give up the connections."""
        self._file.close()

    def _select(self, condition: str, *values: Any) -> list[Upload]:
        while True:
            with self._file.connection() as connection:
                uploads, unreadable = rows.select(connection, condition, *values)
            if not unreadable:
                return uploads
            self._set_aside(*unreadable)

    @contextmanager
    def _noting_unreadable(self) -> Iterator[None]:
        """Set aside the record that proves unreadable in the block, once its transaction ended."""
        try:
            yield
        except UnreadableRecord as error:
            self._set_aside(error)
            raise

    def _set_aside(self, *unreadable: UnreadableRecord) -> None:
        with self._file.writing() as connection:
            new = rows.set_aside(connection, unreadable)
        for each in new:
            log.error("record set aside", upload_id=each.upload_id, reason=each.reason)


def _refuse_used_key(connection: sqlite3.Connection, owner: str, key: str) -> None:
    used = rows.find_by_key(connection, owner, key)
    if used is not None:
        raise KeyTaken(used)


def _data_version(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute("PRAGMA data_version").fetchone()
    return row[0]
