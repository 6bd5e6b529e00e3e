"""Which emails about their uploads each user wants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    if "emails" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("users")}:
        return
    kind = sa.String(16).with_variant(mysql.VARCHAR(16, collation="utf8mb4_bin"), "mysql")
    # The default is for an auth of the version before, which adds users without it.
    op.add_column("users", sa.Column("emails", kind, nullable=False, server_default="each"))


def downgrade() -> None:
    op.drop_column("users", "emails")
