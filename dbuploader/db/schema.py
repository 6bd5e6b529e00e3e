"""The tables of the employment database that only the loader knows."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql

metadata = MetaData()

_datetime = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
_long_text = Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
_bytes = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")

ledger = Table(
    "ledger",
    metadata,
    Column("upload_id", String(64), primary_key=True),
    Column("table_name", String(64), nullable=False),
    Column("state", String(32), nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("inserted", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("unprocessed", Integer, nullable=False),
    Column("causes", _long_text, nullable=False),
    Column("error_code", String(64)),
    Column("error_detail", Text),
    Column("decided_at", _datetime, nullable=False),
    Column("warnings", _long_text),
    Column("warnings_total", Integer),
    Column("rejects", String(32)),
    Column("number", BigInteger),
    Column("change", BigInteger),
    Column("receipt", Text),
    Column("impact", _long_text),
    Column("undone", Text),
    Column("source", Text),
    Index("uq_ledger_number", "number", unique=True),
)
"""How each upload ended. The first to insert an upload's row decides it, for ever.

`number` is its place in the journal, and `change` the same where rows were written.
"""

journal_head = Table(
    "journal_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("receipt", String(64)),
)
"""One row: the latest number in the journal, and the SHA-256 of the latest receipt.

Whoever takes numbers locks it until the end of the transaction: numbers have no gap, and who sees
one sees all before it.
"""

changes = Table(
    "changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("table_name", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("made_by", String(255), nullable=False),
    Column("made_at", _datetime, nullable=False, index=True),
    Column("undoes", BigInteger, index=True),
    Column("inserted", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("former_bytes", BigInteger, nullable=False),
    Column("expired_at", _datetime),
    Index("ix_changes_table_name", "table_name", "number"),
)
"""What has written rows. `entry` is the upload's id, or one of the batch's own.

Once it is expired, its former rows are gone, and with them the right to undo it.
"""

changed_keys = Table(
    "changed_keys",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("effect", String(16), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("table_name", String(64), nullable=False),
    Column("first_key", BigInteger, nullable=False),
    Column("last_key", BigInteger, nullable=False),
    Column("bitmap", _bytes, nullable=False),
    Index("ix_changed_keys_span", "table_name", "first_key", "last_key"),
)
"""The keys of each number's rows by what it did to them, as Roaring bitmaps.

The effects are `inserted`, `updated` and `removed`, and `unchanged`: held, but not written.
"""

former_rows = Table(
    "former_rows",
    metadata,
    Column("entry", String(64), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("first_key", BigInteger, nullable=False),
    Column("last_key", BigInteger, nullable=False),
    Column("content", _bytes, nullable=False),
)
"""The rows that an entry updated or removed, as they were before: Arrow IPC streams in zstd."""

erased_rows = Table(
    "erased_rows",
    metadata,
    Column("table_name", String(64), primary_key=True),
    Column("row_key", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("erased_by", String(255), nullable=False),
    Column("erased_at", _datetime, nullable=False),
    Index("ix_erased_rows_sequence", "sequence"),
)
"""Tombstones: the upload of kind `erasure` took the row out everywhere.

Uploads of a lower `sequence` no longer load a row with that key.
"""

receipt_keys = Table(
    "receipt_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("used_since", _datetime, nullable=False),
)
"""The public keys, as JWK, of all keys that have signed receipts."""

load_attempts = Table(
    "load_attempts",
    metadata,
    Column("upload_id", String(64), primary_key=True),
    Column("attempts", SmallInteger, nullable=False),
    Column("seconds", Double, nullable=False, server_default="0"),
    Column("attempt_id", String(32)),
)
"""How often the load of an upload was started, and how long it has worked in all of them.

The latest attempt has an id, so that one whose COMMIT is not answered is counted once.
"""

batch_answers = Table(
    "batch_answers",
    metadata,
    Column("owner", String(255), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("claim", String(32), nullable=False),
    Column("claimed_at", _datetime, nullable=False, index=True),
    Column("status", SmallInteger),
    Column("body", _long_text),
)
"""The answers to batches sent with an idempotency key; without a status, one in progress."""
