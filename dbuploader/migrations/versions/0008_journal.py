"""The journal of changes: numbers, keys, former rows, tombstones, and receipts in the ledger."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

_datetime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
_long_text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
_bytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")
# Whatever the database was created with.
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_UNIQUE = "uq_ledger_number"
_INDEXES = (
    ("ix_changes_made_at", "changes", ["made_at"]),
    ("ix_changes_table_name", "changes", ["table_name", "number"]),
    ("ix_changes_undoes", "changes", ["undoes"]),
    ("ix_changed_keys_span", "changed_keys", ["table_name", "first_key", "last_key"]),
    ("ix_erased_rows_sequence", "erased_rows", ["sequence"]),
)


def upgrade() -> None:
    # On MySQL each statement takes place at once, and the migration may be run again.
    for column in _ledger_columns():
        if column.name not in _columns("ledger"):
            op.add_column("ledger", column)
    if _UNIQUE not in _indexes("ledger"):
        op.create_index(_UNIQUE, "ledger", ["number"], unique=True)
    for table in _tables():
        if not sa.inspect(op.get_bind()).has_table(table.name):
            table.create(op.get_bind())
    # One by one: with their table they would be made in any order.
    for name, table_name, columns in _INDEXES:
        if name not in _indexes(table_name):
            op.create_index(name, table_name, columns)
    head = sa.table("journal_head", sa.column("id"), sa.column("number"))
    if op.get_bind().execute(sa.select(head.c.id)).first() is None:
        op.execute(head.insert().values(id=1, number=0))


def downgrade() -> None:
    for table in reversed(_tables()):
        if sa.inspect(op.get_bind()).has_table(table.name):
            table.drop(op.get_bind())
    if _UNIQUE in _indexes("ledger"):
        op.drop_index(_UNIQUE, "ledger")
    for column in _ledger_columns():
        if column.name in _columns("ledger"):
            op.drop_column("ledger", column.name)


def _columns(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def _indexes(table: str) -> set[str | None]:
    return {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}


def _ledger_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("number", sa.BigInteger()),
        sa.Column("change", sa.BigInteger()),
        sa.Column("receipt", sa.Text()),
        sa.Column("impact", _long_text),
        sa.Column("undone", sa.Text()),
    ]


def _tables() -> list[sa.Table]:
    made = sa.MetaData()
    return [
        sa.Table(
            "journal_head",
            made,
            sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
            sa.Column("number", sa.BigInteger(), nullable=False),
            sa.Column("receipt", sa.String(64)),
            **_MYSQL,
        ),
        sa.Table(
            "changes",
            made,
            _number(),
            sa.Column("entry", sa.String(64), nullable=False, unique=True),
            sa.Column("kind", sa.String(16), nullable=False),
            sa.Column("table_name", sa.String(64), nullable=False),
            sa.Column("owner", sa.String(64), nullable=False),
            sa.Column("made_by", sa.String(255), nullable=False),
            sa.Column("made_at", _datetime, nullable=False),
            sa.Column("undoes", sa.BigInteger()),
            sa.Column("inserted", sa.Integer(), nullable=False),
            sa.Column("updated", sa.Integer(), nullable=False),
            sa.Column("removed", sa.Integer(), nullable=False),
            sa.Column("former_bytes", sa.BigInteger(), nullable=False),
            sa.Column("expired_at", _datetime),
            **_MYSQL,
        ),
        sa.Table(
            "changed_keys",
            made,
            _number(),
            sa.Column("effect", sa.String(16), primary_key=True),
            sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("table_name", sa.String(64), nullable=False),
            *_span(),
            sa.Column("bitmap", _bytes, nullable=False),
            **_MYSQL,
        ),
        sa.Table(
            "former_rows",
            made,
            sa.Column("entry", sa.String(64), primary_key=True),
            sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
            *_span(),
            sa.Column("content", _bytes, nullable=False),
            **_MYSQL,
        ),
        sa.Table(
            "erased_rows",
            made,
            sa.Column("table_name", sa.String(64), primary_key=True),
            sa.Column("row_key", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("entry", sa.String(64), primary_key=True),
            sa.Column("sequence", sa.BigInteger(), nullable=False),
            sa.Column("erased_by", sa.String(255), nullable=False),
            sa.Column("erased_at", _datetime, nullable=False),
            **_MYSQL,
        ),
        sa.Table(
            "receipt_keys",
            made,
            sa.Column("kid", sa.String(64), primary_key=True),
            sa.Column("public_key", sa.Text(), nullable=False),
            sa.Column("used_since", _datetime, nullable=False),
            **_MYSQL,
        ),
    ]


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False)


def _span() -> list[sa.Column[int]]:
    return [
        sa.Column("first_key", sa.BigInteger(), nullable=False),
        sa.Column("last_key", sa.BigInteger(), nullable=False),
    ]
