"""A row that two administrators who leave at once, on two members of a cluster, both write."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(
        "administration",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
        if_not_exists=True,
        **_MYSQL,
    )
    if op.get_bind().execute(sa.text("SELECT id FROM administration")).first() is None:
        op.execute("INSERT INTO administration (id, changes) VALUES (1, 0)")


def downgrade() -> None:
    op.drop_table("administration")
