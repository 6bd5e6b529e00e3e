"""Access keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

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
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(
        "access_keys",
        sa.Column("id", _text(32), primary_key=True),
        sa.Column(
            "user_id",
            _text(32),
            sa.ForeignKey("users.id", name="fk_access_keys_user", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", _text(100), nullable=False),
        sa.Column("key_hash", _text(64), nullable=False),
        sa.Column("permissions", _text(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.UniqueConstraint("key_hash", name="uq_access_keys_key_hash"),
        if_not_exists=True,
        **_MYSQL,
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("access_keys")}
    for column in ("user_id", "expires_at"):
        if (index := f"ix_access_keys_{column}") not in there:
            op.create_index(index, "access_keys", [column])


def downgrade() -> None:
    op.drop_table("access_keys")
