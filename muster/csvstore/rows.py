"""Upload records as rows of SQLite: JSON documents, with the columns that queries need derived."""

import json
import sqlite3
from dataclasses import replace
from typing import Any

from muster.csvstore import UploadNotFound
from muster.uploads import UNFINISHED, State, Upload

OPEN = "(announced = 0 OR state IN ({}))".format(", ".join(f"'{s}'" for s in sorted(UNFINISHED)))
UNPUBLISHED = "published = 0"
CANCELLING = f"state = '{State.QUEUED}' AND cancel_requested = 1"
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
"""


def select(connection: sqlite3.Connection, condition: str, *values: Any) -> list[Upload]:
    """The uploads for which `condition` holds: SQL written in this package, its values bound."""
    rows = connection.execute(
        f"SELECT sequence, document FROM uploads WHERE {condition}",  # noqa: S608
        values,
    )
    return [_upload_of(sequence, document) for sequence, document in rows]


def get(connection: sqlite3.Connection, upload_id: str) -> Upload:
    """The record of that id; raises UploadNotFound."""
    found = select(connection, "id = ?", upload_id)
    if not found:
        raise UploadNotFound(upload_id)
    return found[0]


def find_by_key(connection: sqlite3.Connection, owner: str, key: str) -> Upload | None:
    """The upload accepted with the owner's idempotency key."""
    found = select(connection, "owner = ? AND idempotency_key = ?", owner, key)
    return found[0] if found else None


def document_of(upload: Upload) -> str:
    """The JSON text that is kept; the columns are derived from it."""
    return json.dumps(upload.to_document())


def _upload_of(sequence: int, document: str) -> Upload:
    return replace(Upload.from_document(json.loads(document)), sequence=sequence)
