"""An attempt at a load has an identity: to count it twice counts once."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
    if not _is_there():
        op.add_column("load_attempts", sa.Column("attempt_id", sa.String(32)))


def downgrade() -> None:
    if _is_there():
        op.drop_column("load_attempts", "attempt_id")


def _is_there() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("load_attempts")
    return "attempt_id" in {column["name"] for column in columns}
