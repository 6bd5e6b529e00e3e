"""The declared tables, their summary, and what the loader keeps for itself."""

from datetime import datetime
from typing import Any

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


def upgrade() -> None:
    _create_named("departments", "department")
    _create_named("jobs", "job")
    _create_table(
        "hired_employees",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("datetime", _datetime(), nullable=False),
        sa.Column("department_id", sa.Integer(), sa.ForeignKey("departments.id"), nullable=False),
        sa.Column("job_id", sa.Integer(), sa.ForeignKey("jobs.id"), nullable=False),
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("hired_employees")}
    for column in ("department_id", "job_id"):
        if (index := f"ix_hired_employees_{column}") not in there:
            op.create_index(index, "hired_employees", [column])
    _create_table(
        "hires_summary",
        sa.Column("year", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("quarter", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("department_id", sa.Integer(), sa.ForeignKey("departments.id"), primary_key=True),
        sa.Column("job_id", sa.Integer(), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("hired", sa.Integer(), nullable=False),
    )
    _create_ledger()
    _create_batch_answers()


def downgrade() -> None:
    for table in ("batch_answers", "load_attempts", "ledger", "hires_summary"):
        op.drop_table(table)
    for table in ("hired_employees", "jobs", "departments"):
        op.drop_table(table)


def _create_table(name: str, *columns: sa.Column[Any]) -> None:
    # Where DDL ends transactions, a migration that broke off halfway is run again from its start.
    op.create_table(name, *columns, if_not_exists=True, **_MYSQL)


def _create_named(table: str, name: str) -> None:
    _create_table(
        table,
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column(name, _text(255), nullable=False),
    )


def _create_ledger() -> None:
    counts = ("rows_read", "inserted", "updated", "unchanged", "rejected", "unprocessed")
    _create_table(
        "ledger",
        sa.Column("upload_id", sa.String(64), primary_key=True),
        sa.Column("table_name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        *(sa.Column(count, sa.Integer(), nullable=False) for count in counts),
        sa.Column("causes", _long_text(), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_detail", sa.Text()),
        sa.Column("decided_at", _datetime(), nullable=False),
    )
    _create_table(
        "load_attempts",
        sa.Column("upload_id", sa.String(64), primary_key=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
    )


def _create_batch_answers() -> None:
    _create_table(
        "batch_answers",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("claim", sa.String(32), nullable=False),
        sa.Column("claimed_at", _datetime(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("body", _long_text()),
    )


def _datetime() -> sa.types.TypeEngine[datetime]:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")


def _long_text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql")
