"""Tokens that were signed out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def _id() -> sa.types.TypeEngine[str]:
    binary = mysql.VARCHAR(32, collation="utf8mb4_bin")
    return sa.String(32).with_variant(binary, "mysql")


def upgrade() -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(
        "ended_tokens",
        sa.Column("token_id", _id(), primary_key=True),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
        **_MYSQL,
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("ended_tokens")}
    for column in ("user_id", "expires_at"):
        if (index := f"ix_ended_tokens_{column}") not in there:
            op.create_index(index, "ended_tokens", [column])


def downgrade() -> None:
    op.drop_table("ended_tokens")
