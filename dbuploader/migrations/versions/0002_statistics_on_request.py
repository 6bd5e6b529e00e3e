"""Statistics of the tables that uploads fill, on request: `dbuploader/db/statistics.py`.

By itself MariaDB counts again whenever a tenth has changed. While the first statement of a large
load fills a table, which it can't count, a thread of its tries to without a pause.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _count_by_itself("0")


def downgrade() -> None:
    _count_by_itself("DEFAULT")


def _count_by_itself(choice: str) -> None:
    if op.get_bind().dialect.name != "mysql":
        return
    for table in ("departments", "jobs", "hired_employees"):
        op.execute(f"ALTER TABLE {table} STATS_AUTO_RECALC = {choice}")
