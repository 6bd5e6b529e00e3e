"""The tables of the notification database. Times are milliseconds since 1970."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from muster.database import Database

metadata = MetaData()


def _text(length: int) -> TypeEngine[str]:
    return String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql")


endpoints = Table(
    "endpoints",
    metadata,
    Column("id", _text(32), primary_key=True),
    Column("owner", _text(32), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("url", _text(2048), nullable=False),
    Column("description", _text(200), nullable=False),
    Column("secret", _text(512), nullable=False),
    Column("former_secret", _text(512)),
    Column("former_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("reason", _text(400)),
    Column("failures", Integer, nullable=False),
    Column("failing_since", BigInteger),
    Column("next_at", BigInteger),
    Column("busy_until", BigInteger, nullable=False),
    Column("busy_by", _text(32)),
    UniqueConstraint("owner", "slot", name="uq_endpoints_owner_slot"),
    Index("ix_endpoints_next_at", "next_at"),
)
"""Where users want to be called; the `slot` of one's own keeps their number.

`secret` and `former_secret` are encrypted. `failures` are those since the last success, `reason`
is that of the last one, or why it is disabled. `next_at` is when the first of its deliveries is
due, or later while it rests; `busy_by` works on them until `busy_until`.
"""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _text(40), primary_key=True),
    Column(
        "endpoint_id",
        _text(32),
        ForeignKey("endpoints.id", name="fk_deliveries_endpoint", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("event", _text(40), nullable=False),
    Column("upload_id", _text(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("state", _text(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("last_at", BigInteger),
    Column("status", Integer),
    Column("reason", _text(400)),
    Index("ix_deliveries_listing", "endpoint_id", "created_at", "id"),
    Index("ix_deliveries_due", "endpoint_id", "state", "next_at"),
    Index("ix_deliveries_waiting", "state", "begun_at"),
    Index("ix_deliveries_age", "created_at"),
)
"""What is sent, or was: nothing of an upload but its id. `begun_at` is when it or its replay began.

`status` and `reason` are of the last attempt, whose number is `attempts`.
"""


def check_schema(database: Database) -> None:
    """Return if every table is there and can be read; raises DatabaseUnavailable."""
    with database.read() as connection:
        for table in metadata.sorted_tables:
            connection.execute(select(table).limit(1))
