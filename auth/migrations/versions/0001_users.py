"""Users, their permissions, and whose tokens ended."""

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
        "users",
        sa.Column("id", _text(32), primary_key=True),
        sa.Column("email", _text(254), nullable=False),
        sa.Column("account_key", _text(254), nullable=False),
        sa.Column("password_hash", _text(255), nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.UniqueConstraint("account_key", name="uq_users_account_key"),
    )
    _create_table(
        "user_permissions",
        sa.Column(
            "user_id",
            _text(32),
            sa.ForeignKey("users.id", name="fk_user_permissions_user", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("permission", _text(32), primary_key=True),
    )
    _create_table(
        "revocations",
        sa.Column("user_id", _text(32), primary_key=True),
        sa.Column("generation", sa.Integer),
        sa.Column("revoked_at", sa.BigInteger, nullable=False),
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("revocations")}
    if (index := "ix_revocations_revoked_at") not in there:
        op.create_index(index, "revocations", ["revoked_at"])


def _create_table(name: str, *parts: sa.schema.SchemaItem) -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(name, *parts, if_not_exists=True, **_MYSQL)


def downgrade() -> None:
    op.drop_table("revocations")
    op.drop_table("user_permissions")
    op.drop_table("users")
