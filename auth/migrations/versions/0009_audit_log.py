"""The audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"

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
        "audit_log",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", _text(32), nullable=False),
        sa.Column("user_id", _text(32)),
        sa.Column("email", _text(254), nullable=False),
        sa.Column("subject", _text(255), nullable=False),
        sa.Column("address", _text(64), nullable=False),
        sa.Column("key_id", _text(32)),
        sa.Column("request_id", _text(128), nullable=False),
        if_not_exists=True,
        **_MYSQL,
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("audit_log")}
    for index, columns in {
        "ix_audit_log_at": ["at"],
        "ix_audit_log_action": ["action", "id"],
        "ix_audit_log_user": ["user_id", "id"],
    }.items():
        if index not in there:
            op.create_index(index, "audit_log", columns)


def downgrade() -> None:
    op.drop_table("audit_log")
