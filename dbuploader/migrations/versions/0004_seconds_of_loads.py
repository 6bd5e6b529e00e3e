"""How long the load of an upload has worked so far, in all processes that had it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again. The default
    # is for the former version, which runs on for a while and inserts without it.
    if not _is_there():
        column: sa.Column[float] = sa.Column(
            "seconds", sa.Double(), nullable=False, server_default="0"
        )
        op.add_column("load_attempts", column)


def downgrade() -> None:
    if _is_there():
        op.drop_column("load_attempts", "seconds")


def _is_there() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("load_attempts")
    return "seconds" in {column["name"] for column in columns}
