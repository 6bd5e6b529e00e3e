"""What a load warned of, beside how it ended: else a lost answer to COMMIT would lose it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
    for column in (sa.Column("warnings", text), sa.Column("warnings_total", sa.Integer())):
        # On MySQL each statement takes place at once, and the migration may be run again.
        if column.name not in _columns():
            op.add_column("ledger", column)


def downgrade() -> None:
    for column in ("warnings_total", "warnings"):
        if column in _columns():
            op.drop_column("ledger", column)


def _columns() -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns("ledger")}
