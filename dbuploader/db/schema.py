"""The tables of the employment database that only the loader knows."""

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Integer,
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
)
"""How each upload ended. The first to insert an upload's row decides it, for ever."""

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
