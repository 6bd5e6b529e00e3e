"""The ledger names the load whose rejects are the upload's: a late loader stores its own apart."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
    if not _is_there():
        op.add_column("ledger", sa.Column("rejects", sa.String(32)))


def downgrade() -> None:
    if _is_there():
        op.drop_column("ledger", "rejects")


def _is_there() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("ledger")
    return "rejects" in {column["name"] for column in columns}
