"""The upload store in a directory: `file:///abs/dir`, records in SQLite at `records.db`.

A record is a JSON document; the columns that queries need are derived from it.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any

import structlog

from muster.adapters import path_of
from muster.backends.shared import Shared
from muster.backends.sqlite_file import SqliteFile
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

# Checking whether a file changed costs microseconds, and SQLite notifies no other process. Whoever
# waited for long does not mind a little longer.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.002, 0.02
_PAUSE_SHARE = 0.1

_NOT_FINAL = "IN ({})".format(", ".join(f"'{state}'" for state in sorted(UNFINISHED)))
_OPEN = f"(announced = 0 OR state {_NOT_FINAL})"
_UNPUBLISHED = "published = 0"
_CANCELLING = f"state = '{State.QUEUED}' AND cancel_requested = 1"
# SQLite ends a query, and the making of an index, at the first document that is no JSON.
_DAMAGED = "NOT json_valid(document)"
_FILTERS = {
    name: f'(CASE WHEN json_valid(document) THEN "{name}" END)'
    for name in ("owner", "table", "state")
}
# None is a column: older files have none, and an index needs none.
_KEPT_FILES_END = (
    "(CASE WHEN json_valid(document) AND json_extract(document, '$.files_removed.why') IS NULL "
    "THEN json_extract(document, '$.finished_at') END)"
)
_ERASED_BY = (
    "(CASE WHEN json_valid(document) THEN json_extract(document, '$.files_removed.by') END)"
)
_PREVIOUS = "json_extract(document, '$.previous')"
_UNDOES = (
    "(CASE WHEN json_valid(document) AND NOT json_extract(document, '$.options.dry_run') "
    "THEN json_extract(document, '$.undoes') END)"
)

_DERIVED = (
    *("id", "owner", "table", "state", "idempotency_key"),
    *("published", "announced", "cancel_requested"),
)
_COLUMNS = ",\n    ".join(
    f"\"{name}\" AS (json_extract(document, '$.{name}'))" for name in _DERIVED
)

# One for each choice of filters, so that a page is found without a look at other records. Documents
# damaged later are found by what the index holds, and those that were before by _DAMAGED.
_LISTS = "\n".join(
    f"CREATE INDEX IF NOT EXISTS uploads_by_{'_'.join(names)} "
    f"ON uploads ({', '.join(_FILTERS[name] for name in names)}, sequence);"
    for size in range(1, len(_FILTERS) + 1)
    for names in combinations(_FILTERS, size)
    if names != ("owner",)
)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS uploads (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL,
    {_COLUMNS}
);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_id ON uploads (id);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_key ON uploads (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_owner ON uploads (owner, sequence);
CREATE INDEX IF NOT EXISTS uploads_unpublished ON uploads (sequence) WHERE {_UNPUBLISHED};
CREATE INDEX IF NOT EXISTS uploads_open ON uploads (sequence) WHERE {_OPEN};
CREATE INDEX IF NOT EXISTS uploads_cancelling ON uploads (sequence) WHERE {_CANCELLING};
CREATE INDEX IF NOT EXISTS uploads_mending ON uploads ({_PREVIOUS}, sequence)
    WHERE {_PREVIOUS} IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_undoing ON uploads ({_UNDOES}, sequence)
    WHERE {_UNDOES} IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_expiring ON uploads ({_KEPT_FILES_END}, sequence)
    WHERE {_KEPT_FILES_END} IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_erased ON uploads ({_ERASED_BY}, sequence)
    WHERE {_ERASED_BY} IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_damaged ON uploads (sequence) WHERE {_DAMAGED};
{_LISTS}
CREATE TABLE IF NOT EXISTS contents (
    sequence INTEGER PRIMARY KEY,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS claims (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bytes_of_days (
    day TEXT NOT NULL,
    owner TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, owner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS set_aside (
    format TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    upload_id TEXT,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (format, sequence)
) WITHOUT ROWID;
"""

# The greatest integer of SQLite.
_BEYOND = 2**63 - 1
_OF_KEY = "owner = ? AND idempotency_key = ?"
_NOT_SET_ASIDE = "sequence NOT IN (SELECT sequence FROM set_aside WHERE format = ?)"
COUNT_OF_OWNER = f"""
SELECT count(*) FROM (
    SELECT 1 FROM uploads
    WHERE {_NOT_SET_ASIDE} AND {_FILTERS["owner"]} = ? AND {_FILTERS["state"]} {_NOT_FINAL}
    LIMIT ?
)
"""  # noqa: S608 - no value in it
_QUEUED = f"""
SELECT sequence FROM uploads WHERE {_NOT_SET_ASIDE} AND {_FILTERS["state"]} = ?
ORDER BY sequence LIMIT ?
"""  # noqa: S608 - no value in it


_MARK = """
UPDATE uploads SET document = json_set(document, ?, json('true'))
WHERE id IN (SELECT value FROM json_each(?))
AND CASE WHEN json_valid(document) THEN NOT json_extract(document, ?) END
"""


class SqliteUploadStore:
    """Upload records and idempotency keys; see UploadStore for what is promised."""

    def __init__(self, url: str, _shared: Shared | None = None) -> None:
        self._file = SqliteFile(path_of(url) / "records.db", _SCHEMA, StoreUnavailable)

    def accept(self, upload: Upload, content: bytes | None = None) -> Upload:
        """Add a record, durably, and give it its `sequence`; returns it as stored."""
        with self._noting_unreadable(), self._file.writing() as connection:
            if upload.idempotency_key is not None:
                _refuse_used_key(connection, upload.owner, upload.idempotency_key)
            [(sequence,)] = connection.execute(
                "INSERT INTO uploads (document) VALUES (?) RETURNING sequence",
                [json.dumps(upload.to_document())],
            ).fetchall()
            if content is not None:
                connection.execute("INSERT INTO contents VALUES (?, ?)", [sequence, content])
            _count_bytes(connection, upload)
            return replace(upload, sequence=sequence)

    def get(self, upload_id: str) -> Upload:
        """The record as it stands. Raises UploadNotFound."""
        with self._noting_unreadable(), self._file.connection() as connection:
            return _get(connection, upload_id)

    def contents(self, upload_ids: Collection[str]) -> dict[str, bytes]:
        """The files that are kept with the records, by their ids, in one call."""
        with self._file.connection() as connection:
            found = connection.execute(
                "SELECT id, content FROM uploads JOIN contents USING (sequence) "
                "WHERE id IN (SELECT value FROM json_each(?))",
                [json.dumps([*upload_ids])],
            )
            return dict(found.fetchall())

    def update(
        self, upload_id: str, *, expect: Collection[State], durable: bool = True, **changes: Any
    ) -> Upload:
        """Set the fields `changes`, atomically and durably, if the state is one of `expect`."""
        with self._noting_unreadable(), self._file.writing(durable=durable) as connection:
            upload = _get(connection, upload_id)
            if upload.state not in expect:
                raise StateConflict(upload)
            return _change(connection, upload, changes)

    def update_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        expect: Collection[State],
        durable: bool = True,
    ) -> list[Upload]:
        """As `update`, for several records by their ids, in one transaction."""
        return self._change_each(changes, expect, durable=durable, change=_change)

    def drop_contents(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State]
    ) -> list[Upload]:
        """As `update_each`; the files that are kept with the changed records go with it."""
        return self._change_each(changes, expect, durable=True, change=_strip)

    def _change_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        expect: Collection[State],
        *,
        durable: bool,
        change: Callable[[sqlite3.Connection, Upload, Mapping[str, Any]], Upload],
    ) -> list[Upload]:
        if not changes:
            return []
        with self._file.writing(durable=durable) as connection:
            condition = "id IN (SELECT value FROM json_each(?)) ORDER BY sequence"
            found = _read(connection, condition, json.dumps([*changes]))
            uploads = [
                change(connection, each, changes[each.id]) if each.state in expect else each
                for each in found
                if isinstance(each, Upload)
            ]
        unreadable = [each for each in found if isinstance(each, UnreadableRecord)]
        if unreadable:
            self._set_aside(*unreadable)
        return uploads

    def mark(self, mark: Mark, upload_ids: Collection[str]) -> None:
        """Set the mark on those of the records that lack it."""
        path = f"$.{mark}"
        with self._file.writing(durable=False) as connection:
            connection.execute(_MARK, [path, json.dumps([*upload_ids]), path])

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
        wanted = {"owner": owner, "table": table, "state": state}
        filters = {name: value for name, value in wanted.items() if value is not None}
        if filters.keys() - {"owner"}:
            terms = [f"{_FILTERS[name]} = ?" for name in filters]
            self._select(f"{_DAMAGED} ORDER BY sequence")
        else:
            terms = ["owner = ?" for _ in filters]
        return self._select(
            f"{' AND '.join([*terms, 'sequence < ?'])} ORDER BY sequence DESC LIMIT ?",
            *filters.values(),
            _BEYOND if before is None else before,
            limit,
        )

    def find_corrections(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that correct rejected rows of that upload, newest first."""
        return self._select(f"{_PREVIOUS} = ? ORDER BY sequence DESC LIMIT ?", upload_id, limit)

    def find_undoing(self, upload_id: str, limit: int) -> list[Upload]:
        """At most `limit` records that undo that upload, newest first."""
        return self._select(f"{_UNDOES} = ? ORDER BY sequence DESC LIMIT ?", upload_id, limit)

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's idempotency key belongs to."""
        with self._noting_unreadable(), self._file.connection() as connection:
            return _read_one(connection, _OF_KEY, owner, key)

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the idempotency key for a call in flight; raises KeyTaken.

        What cuts the power ends the call, too.
        """
        moment = time.time()
        with self._noting_unreadable(), self._file.writing(durable=False) as connection:
            _refuse_used_key(connection, owner, key)
            connection.execute("DELETE FROM claims WHERE expires_at <= ?", [moment])
            claimed = connection.execute(
                "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [owner, key, moment + seconds],
            )
            if not claimed.rowcount:
                raise KeyTaken(None)

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for `seconds` from now."""
        with self._file.writing(durable=False) as connection:
            connection.execute(
                "UPDATE claims SET expires_at = ? WHERE owner = ? AND key = ?",
                [time.time() + seconds, owner, key],
            )

    def release_key(self, owner: str, key: str) -> None:
        """End the claim; an upload accepted with the key keeps it."""
        with self._file.writing(durable=False) as connection:
            connection.execute("DELETE FROM claims WHERE owner = ? AND key = ?", [owner, key])

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose `upload.accepted` is not known to be queued, in order of acceptance."""
        return self._select(f"{_UNPUBLISHED} ORDER BY sequence LIMIT ?", limit)

    def oldest_unpublished(self) -> Upload | None:
        """The record that has waited longest to be published."""
        return next(iter(self.unpublished(1)), None)

    def unfinished(self, after: int, limit: int) -> list[Upload]:
        """At most `limit` records that are not final, or not announced, beyond a sequence."""
        return self._select(f"{_OPEN} AND sequence > ? ORDER BY sequence LIMIT ?", after, limit)

    def following(self, after: int, limit: int) -> list[Upload]:
        """The records of the `limit` sequences after that one, in order."""
        condition = "sequence > ? AND sequence <= ? ORDER BY sequence"
        return self._select(condition, after, after + limit)

    def oldest_queued(self) -> Upload | None:
        """The record that has waited longest to be loaded."""
        condition = f"{_FILTERS['state']} = ? ORDER BY sequence LIMIT 1"
        return next(iter(self._select(condition, State.QUEUED)), None)

    def queued(self, limit: int) -> list[int]:
        """The sequences of the first `limit` queued records, in order."""
        with self._file.connection() as connection:
            found = connection.execute(_QUEUED, [record_format(), State.QUEUED, limit]).fetchall()
        return [int(sequence) for (sequence,) in found]

    def count_unfinished(self, owner: str, limit: int) -> int:
        """How many uploads of the owner are not final, up to `limit`."""
        with self._file.connection() as connection:
            [(number,)] = connection.execute(COUNT_OF_OWNER, [record_format(), owner, limit])
        return int(number)

    def bytes_of_day(self, owner: str, day: date) -> int:
        """The bytes of all files that the owner has sent on that day in UTC."""
        with self._file.connection() as connection:
            found = connection.execute(
                "SELECT bytes FROM bytes_of_days WHERE day = ? AND owner = ?",
                [day.isoformat(), owner],
            ).fetchone()
        return int(found[0]) if found else 0

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for, in order of acceptance."""
        return self._select(f"{_CANCELLING} ORDER BY sequence")

    def expiring(self, before: datetime, limit: int) -> list[Upload]:
        """At most `limit` final records whose files are kept, that ended before then."""
        condition = f"{_KEPT_FILES_END} < ? ORDER BY {_KEPT_FILES_END}, sequence LIMIT ?"
        return self._select(condition, before.astimezone(UTC).isoformat(), limit)

    def erased_by(self, erasure: str, after: int, limit: int) -> list[Upload]:
        """At most `limit` records whose files that erasure removed, beyond a sequence."""
        condition = f"{_ERASED_BY} = ? AND sequence > ? ORDER BY sequence LIMIT ?"
        return self._select(condition, erasure, after, limit)

    def backlog(self) -> Backlog:
        """What the loader has still to do."""
        oldest = next(iter(self._select(f"{_OPEN} ORDER BY sequence LIMIT 1")), None)
        with self._file.connection() as connection:
            [(number,)] = connection.execute(
                f"SELECT count(*) FROM uploads WHERE {_NOT_SET_ASIDE} AND {_OPEN}",  # noqa: S608
                [record_format()],
            )
        return Backlog(int(number), oldest.submitted_at if oldest else None)

    def set_aside(self, limit: int) -> list[SetAside]:
        """At most `limit` records that were set aside, by whichever version, oldest first."""
        with self._file.connection() as connection:
            rows = connection.execute(
                "SELECT upload_id, format, reason, at FROM set_aside ORDER BY at, sequence LIMIT ?",
                [limit],
            ).fetchall()
        return [
            SetAside(upload_id, of_format, reason, datetime.fromtimestamp(at, UTC))
            for upload_id, of_format, reason, at in rows
        ]

    def count_set_aside(self) -> int:
        """How many records are set aside for this version."""
        with self._file.connection() as connection:
            [(count,)] = connection.execute(
                "SELECT count(*) FROM set_aside WHERE format = ?", [record_format()]
            )
        return int(count)

    def put_back(self, upload_id: str | None = None) -> int:
        """Have the record read again, or all that were set aside; returns how many they were."""
        those, values = ("TRUE", []) if upload_id is None else ("upload_id = ?", [upload_id])
        with self._file.writing() as connection:
            # Several versions may have set the same record aside.
            [(count,)] = connection.execute(
                f"SELECT count(DISTINCT sequence) FROM set_aside WHERE {those}",  # noqa: S608
                values,
            )
            connection.execute(f"DELETE FROM set_aside WHERE {those}", values)  # noqa: S608
        return int(count)

    def wait_for_change(self, upload_id: str, version: int, timeout: float) -> Upload:
        """The record as soon as its version is not `version`, or as it is after `timeout` s."""
        began = time.monotonic()
        before = None
        # SQLite counts what other connections commit, so this one must not be shared meanwhile:
        # https://sqlite.org/pragma.html#pragma_data_version
        with self._noting_unreadable(), self._file.connection() as connection:
            while True:
                seen = _data_version(connection)
                document = _document(connection, upload_id)
                if before is None or document != before:
                    upload, before = _get(connection, upload_id), document
                if upload.version != version:
                    return upload
                while _data_version(connection) == seen:
                    waited = time.monotonic() - began
                    if waited >= timeout:
                        return upload
                    pause = min(max(_SHORTEST_PAUSE, _PAUSE_SHARE * waited), _LONGEST_PAUSE)
                    time.sleep(min(pause, timeout - waited))

    def unnamed(self, files: Iterable[str]) -> set[str]:
        """Those of `files` that no record names."""
        names = {*files}
        with self._file.connection() as connection:
            # Of a document that is no JSON nothing but its id in the index can be had.
            found = connection.execute(
                "SELECT value, CASE WHEN json_valid(document) THEN state END, "
                "CASE WHEN json_valid(document) THEN json_extract(document, '$.rejects') END, "
                "CASE WHEN json_valid(document) "
                "THEN json_extract(document, '$.files_removed.why') END "
                "FROM json_each(?) JOIN uploads ON uploads.id = value",
                [json.dumps([*{upload_of_file(name) for name in names}])],
            )
            records = {row[0]: (row[1], row[2]) for row in found if row[3] is None}
        return {name for name in names if not is_named(name, records)}

    def check(self) -> None:
        """Return if the records can be read and written."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM claims WHERE expires_at <= ?", [time.time()])

    def close(self) -> None:
        """Give up the connections."""
        self._file.close()

    def _select(self, condition: str, *values: Any) -> list[Upload]:
        """The uploads for which `condition`, SQL of this module, holds; none that is set aside."""
        condition = f"{_NOT_SET_ASIDE} AND {condition}"
        while True:
            with self._file.connection() as connection:
                found = _read(connection, condition, record_format(), *values)
            unreadable = [each for each in found if isinstance(each, UnreadableRecord)]
            if not unreadable:
                return [each for each in found if isinstance(each, Upload)]
            # Read again without them, for a page that is full.
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
            new = [each for each in unreadable if _insert_set_aside(connection, each)]
        for each in new:
            log.error("record set aside", upload_id=each.upload_id, reason=each.reason)


def _get(connection: sqlite3.Connection, upload_id: str) -> Upload:
    """The record of that id; raises UploadNotFound or UnreadableRecord."""
    try:
        found = _read_one(connection, "id = ?", upload_id)
    except UnreadableRecord as error:
        error.upload_id = upload_id
        raise
    if found is None:
        raise UploadNotFound(upload_id)
    return found


def _change(connection: sqlite3.Connection, upload: Upload, changes: Mapping[str, Any]) -> Upload:
    """The upload with `changes`, kept as it is then; fields of another version stay."""
    changed = replace(upload, **changes, version=upload.version + 1)
    where = "WHERE sequence = ?"
    [(document,)] = connection.execute(
        f"SELECT document FROM uploads {where}",  # noqa: S608 - no value in it
        [upload.sequence],
    )
    fields = to_fields({**changes, "version": changed.version})
    connection.execute(
        f"UPDATE uploads SET document = ? {where}",  # noqa: S608 - no value in it
        [json.dumps(json.loads(document) | fields), upload.sequence],
    )
    return changed


def _strip(connection: sqlite3.Connection, upload: Upload, changes: Mapping[str, Any]) -> Upload:
    """As _change(); the file that is kept with the record goes with it."""
    connection.execute("DELETE FROM contents WHERE sequence = ?", [upload.sequence])
    return _change(connection, upload, changes)


def _count_bytes(connection: sqlite3.Connection, upload: Upload) -> None:
    """Add the file to those of its owner and day; days before yesterday are forgotten.

    A sum that is kept, as an index of the records would cost each change of one.
    """
    day = upload.submitted_at.date()
    connection.execute(
        "INSERT INTO bytes_of_days VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
        [day.isoformat(), upload.owner, upload.size],
    )
    connection.execute(
        "DELETE FROM bytes_of_days WHERE day < ?", [(day - timedelta(days=1)).isoformat()]
    )


def _insert_set_aside(connection: sqlite3.Connection, unreadable: UnreadableRecord) -> bool:
    """Note that it can't be read; returns whether that is new."""
    values = (unreadable.sequence, unreadable.upload_id, unreadable.reason, now().timestamp())
    inserted = connection.execute(
        "INSERT INTO set_aside VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [record_format(), *values],
    )
    return bool(inserted.rowcount)


def _refuse_used_key(connection: sqlite3.Connection, owner: str, key: str) -> None:
    used = _read_one(connection, _OF_KEY, owner, key)
    if used is not None:
        raise KeyTaken(used)


def _read_one(connection: sqlite3.Connection, condition: str, *values: Any) -> Upload | None:
    found = next(iter(_read(connection, condition, *values)), None)
    if isinstance(found, UnreadableRecord):
        raise found
    return found


def _read(
    connection: sqlite3.Connection, condition: str, *values: Any
) -> list[Upload | UnreadableRecord]:
    # As bytes: text that is not UTF-8 ends the whole query.
    rows = connection.execute(
        f"SELECT sequence, CAST(document AS BLOB) FROM uploads WHERE {condition}",  # noqa: S608
        values,
    )
    return [_read_document(sequence, document) for sequence, document in rows]


def _read_document(sequence: int, document: bytes) -> Upload | UnreadableRecord:
    try:
        return replace(Upload.from_json(document), sequence=sequence)
    except UnreadableRecord as error:
        error.sequence = sequence
        return error


def _document(connection: sqlite3.Connection, upload_id: str) -> bytes | None:
    row = connection.execute(
        "SELECT CAST(document AS BLOB) FROM uploads WHERE id = ?", [upload_id]
    ).fetchone()
    return None if row is None else bytes(row[0])


def _data_version(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute("PRAGMA data_version").fetchone()
    return row[0]
