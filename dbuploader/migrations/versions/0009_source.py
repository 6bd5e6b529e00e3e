"""The ledger says from which sheet of a workbook the rows came."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
    if not _is_there():
        op.add_column("ledger", sa.Column("source", sa.Text()))


def downgrade() -> None:
    if _is_there():
        op.drop_column("ledger", "source")


def _is_there() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("ledger")
    return "source" in {column["name"] for column in columns}
