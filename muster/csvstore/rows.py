"""Upload records as rows of SQLite: JSON documents, with the columns that queries need derived."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from muster.contracts.uploads import (
    UNFINISHED,
    State,
    UnreadableRecord,
    Upload,
    now,
    record_format,
    to_fields,
)
from muster.csvstore import SetAside, UploadNotFound

OPEN = "(announced = 0 OR state IN ({}))".format(", ".join(f"'{s}'" for s in sorted(UNFINISHED)))
UNPUBLISHED = "published = 0"
CANCELLING = f"state = '{State.QUEUED}' AND cancel_requested = 1"
# SQLite ends a query at the first document that is no JSON: such a one is found, to be set aside.
IN_STATE = "CASE WHEN json_valid(document) THEN state = ? ELSE TRUE END"
OF_TABLE = 'CASE WHEN json_valid(document) THEN "table" = ? ELSE TRUE END'
# No column: files from before it was asked for have none, and an index can be had without.
PREVIOUS = "json_extract(document, '$.previous')"

_DERIVED = (
    *("id", "owner", "table", "state", "idempotency_key"),
    *("published", "announced", "cancel_requested"),
)
_COLUMNS = ",\n    ".join(
    f"\"{name}\" AS (json_extract(document, '$.{name}'))" for name in _DERIVED
)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS uploads (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL,
    {_COLUMNS}
);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_id ON uploads (id);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_key ON uploads (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS uploads_owner ON uploads (owner, sequence);
CREATE INDEX IF NOT EXISTS uploads_unpublished ON uploads (sequence) WHERE {UNPUBLISHED};
CREATE INDEX IF NOT EXISTS uploads_open ON uploads (sequence) WHERE {OPEN};
CREATE INDEX IF NOT EXISTS uploads_cancelling ON uploads (sequence) WHERE {CANCELLING};
CREATE INDEX IF NOT EXISTS uploads_mending ON uploads ({PREVIOUS}, sequence)
    WHERE {PREVIOUS} IS NOT NULL;
CREATE TABLE IF NOT EXISTS claims (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (owner, key)
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

_NOT_SET_ASIDE = "sequence NOT IN (SELECT sequence FROM set_aside WHERE format = ?)"


def select(
    connection: sqlite3.Connection, condition: str, *values: Any
) -> tuple[list[Upload], list[UnreadableRecord]]:
    """The uploads for which `condition` holds, and those of them that can't be read.

    `condition` is SQL written in this package, its values bound. What is set aside is left out.
    """
    found = _read(connection, f"{_NOT_SET_ASIDE} AND {condition}", record_format(), *values)
    readable = [each for each in found if isinstance(each, Upload)]
    return readable, [each for each in found if isinstance(each, UnreadableRecord)]


def get(connection: sqlite3.Connection, upload_id: str) -> Upload:
    """The record of that id; raises UploadNotFound or UnreadableRecord."""
    try:
        found = _read_one(connection, "id = ?", upload_id)
    except UnreadableRecord as error:
        error.upload_id = upload_id
        raise
    if found is None:
        raise UploadNotFound(upload_id)
    return found


def find_by_key(connection: sqlite3.Connection, owner: str, key: str) -> Upload | None:
    """The upload accepted with the owner's idempotency key; raises UnreadableRecord."""
    return _read_one(connection, "owner = ? AND idempotency_key = ?", owner, key)


def change(connection: sqlite3.Connection, upload: Upload, changes: Mapping[str, Any]) -> Upload:
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


def set_aside(
    connection: sqlite3.Connection, unreadable: Iterable[UnreadableRecord]
) -> list[UnreadableRecord]:
    """Note that these can't be read; returns those of which it was not known."""
    return [
        each
        for each in unreadable
        if connection.execute(
            "INSERT INTO set_aside VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [record_format(), each.sequence, each.upload_id, each.reason, now().timestamp()],
        ).rowcount
    ]


def list_set_aside(connection: sqlite3.Connection, limit: int) -> list[SetAside]:
    """What is set aside, whichever version did it, oldest first."""
    rows = connection.execute(
        "SELECT upload_id, format, reason, at FROM set_aside ORDER BY at, sequence LIMIT ?", [limit]
    )
    return [
        SetAside(upload_id, of_format, reason, datetime.fromtimestamp(at, UTC))
        for upload_id, of_format, reason, at in rows
    ]


def count(connection: sqlite3.Connection, condition: str) -> int:
    """How many uploads there are for which `condition` holds, but for those set aside."""
    [(number,)] = connection.execute(
        f"SELECT count(*) FROM uploads WHERE {_NOT_SET_ASIDE} AND {condition}",  # noqa: S608
        [record_format()],
    )
    return int(number)


def count_set_aside(connection: sqlite3.Connection) -> int:
    """How many are set aside for this version."""
    [(count,)] = connection.execute(
        "SELECT count(*) FROM set_aside WHERE format = ?", [record_format()]
    )
    return int(count)


def put_back(connection: sqlite3.Connection, upload_id: str | None) -> int:
    """Forget that the record, or any, was set aside; returns how many records that are."""
    those, values = ("TRUE", []) if upload_id is None else ("upload_id = ?", [upload_id])
    [(count,)] = connection.execute(
        f"SELECT count(DISTINCT sequence) FROM set_aside WHERE {those}",  # noqa: S608 - no value
        values,
    )
    connection.execute(f"DELETE FROM set_aside WHERE {those}", values)  # noqa: S608 - no value
    return int(count)


def document_of(upload: Upload) -> str:
    """The JSON text that is kept; the columns are derived from it."""
    return json.dumps(upload.to_document())


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
