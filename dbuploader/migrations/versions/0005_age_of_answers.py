"""Answers to batches are found by their age: they are kept for a while only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INDEX = "ix_batch_answers_claimed_at"


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
    if not _is_there():
        op.create_index(_INDEX, "batch_answers", ["claimed_at"])


def downgrade() -> None:
    if _is_there():
        op.drop_index(_INDEX, "batch_answers")


def _is_there() -> bool:
    return _INDEX in {
        index["name"] for index in sa.inspect(op.get_bind()).get_indexes("batch_answers")
    }
