"""The endpoints of users, and the deliveries to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

# Whatever the database was created with.
_MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def _text(length: int) -> sa.types.TypeEngine[str]:
    binary = mysql.VARCHAR(length, collation="utf8mb4_bin")
    return sa.String(length).with_variant(binary, "mysql")


def upgrade() -> None:
    _create_table(
        "endpoints",
        sa.Column("id", _text(32), primary_key=True),
        sa.Column("owner", _text(32), nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("url", _text(2048), nullable=False),
        sa.Column("description", _text(200), nullable=False),
        sa.Column("secret", _text(512), nullable=False),
        sa.Column("former_secret", _text(512)),
        sa.Column("former_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("reason", _text(400)),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("busy_until", sa.BigInteger, nullable=False),
        sa.Column("busy_by", _text(32)),
        sa.UniqueConstraint("owner", "slot", name="uq_endpoints_owner_slot"),
    )
    _create_index("ix_endpoints_next_at", "endpoints", "next_at")
    _create_table(
        "deliveries",
        sa.Column("id", _text(40), primary_key=True),
        sa.Column(
            "endpoint_id",
            _text(32),
            sa.ForeignKey("endpoints.id", name="fk_deliveries_endpoint", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("event", _text(40), nullable=False),
        sa.Column("upload_id", _text(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_at", sa.BigInteger),
        sa.Column("status", sa.Integer),
        sa.Column("reason", _text(400)),
    )
    _create_index("ix_deliveries_listing", "deliveries", "endpoint_id", "created_at", "id")
    _create_index("ix_deliveries_due", "deliveries", "endpoint_id", "state", "next_at")
    _create_index("ix_deliveries_waiting", "deliveries", "state", "begun_at")
    _create_index("ix_deliveries_age", "deliveries", "created_at")


def _create_table(name: str, *parts: sa.schema.SchemaItem) -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(name, *parts, if_not_exists=True, **_MYSQL)


def _create_index(name: str, table: str, *columns: str) -> None:
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
    if name not in there:
        op.create_index(name, table, list(columns))


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("endpoints")
