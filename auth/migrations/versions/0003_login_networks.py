"""From where each user has logged in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

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
        "login_networks",
        sa.Column(
            "user_id",
            _text(32),
            sa.ForeignKey("users.id", name="fk_login_networks_user", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("network", _text(64), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
        **_MYSQL,
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("login_networks")}
    if (index := "ix_login_networks_seen_at") not in there:
        op.create_index(index, "login_networks", ["seen_at"])


def downgrade() -> None:
    op.drop_table("login_networks")
