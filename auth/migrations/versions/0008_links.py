"""One-time links by email: to set another password, or to accept an invitation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

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
        "links",
        sa.Column("id", _text(32), primary_key=True),
        sa.Column("kind", _text(16), nullable=False),
        sa.Column(
            "user_id",
            _text(32),
            sa.ForeignKey("users.id", name="fk_links_user", ondelete="CASCADE"),
        ),
        sa.Column("email", _text(254), nullable=False),
        sa.Column("account_key", _text(254), nullable=False),
        sa.Column("permissions", _text(255), nullable=False),
        sa.Column("requested_at", sa.BigInteger, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False),
        sa.Column("request_id", _text(128), nullable=False),
        sa.Column("traceparent", _text(55), nullable=False),
        if_not_exists=True,
        **_MYSQL,
    )
    op.create_table(
        "link_tokens",
        sa.Column("token_hash", _text(64), primary_key=True),
        sa.Column(
            "link_id",
            _text(32),
            sa.ForeignKey("links.id", name="fk_link_tokens_link", ondelete="CASCADE"),
            nullable=False,
        ),
        if_not_exists=True,
        **_MYSQL,
    )
    for table, columns in {
        "links": ("user_id", "account_key", "requested_at", "published"),
        "link_tokens": ("link_id",),
    }.items():
        there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
        for column in columns:
            if (index := f"ix_{table}_{column}") not in there:
                op.create_index(index, table, [column])


def downgrade() -> None:
    op.drop_table("link_tokens")
    op.drop_table("links")
