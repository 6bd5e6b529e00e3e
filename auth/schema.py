"""The tables of the auth database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from auth.users import EMAIL_LENGTH, KEY_NAME_LENGTH

metadata = MetaData()


def _text(length: int) -> TypeEngine[str]:
    # What counts as the same account is decided here, not by a collation.
    return String(length).with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql")


users = Table(
    "users",
    metadata,
    Column("id", _text(32), primary_key=True),
    Column("email", _text(EMAIL_LENGTH), nullable=False),
    Column("account_key", _text(EMAIL_LENGTH), nullable=False),
    Column("password_hash", _text(255), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("emails", _text(16), nullable=False, server_default="each"),
    UniqueConstraint("account_key", name="uq_users_account_key"),
)
user_permissions = Table(
    "user_permissions",
    metadata,
    Column(
        "user_id",
        _text(32),
        ForeignKey("users.id", name="fk_user_permissions_user", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("permission", _text(32), primary_key=True),
)
revocations = Table(
    "revocations",
    metadata,
    Column("user_id", _text(32), primary_key=True),
    Column("generation", Integer),
    Column("revoked_at", BigInteger, nullable=False, index=True),
)
"""Whose tokens ended: those below `generation`, or all (NULL); `revoked_at` in Unix seconds.

No foreign key: the row outlives a deleted user.
"""
login_networks = Table(
    "login_networks",
    metadata,
    Column(
        "user_id",
        _text(32),
        ForeignKey("users.id", name="fk_login_networks_user", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("network", _text(64), primary_key=True),
    Column("seen_at", BigInteger, nullable=False, index=True),
)
"""From where each user has logged in: an IPv4 address, or an IPv6 network; in Unix seconds."""
ended_tokens = Table(
    "ended_tokens",
    metadata,
    Column("token_id", _text(32), primary_key=True),
    Column("user_id", _text(32), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Tokens that were signed out, by `jti`, until they would have ended, in Unix seconds."""
administration = Table(
    "administration",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("changes", BigInteger, nullable=False),
)
"""One row, written by every transaction that may remove an administrator, whatever it locks.

A member of a cluster does not see what is locked on another. Of two transactions that write the
same row it lets one commit, and rolls the other back.
"""
access_keys = Table(
    "access_keys",
    metadata,
    Column("id", _text(32), primary_key=True),
    Column(
        "user_id",
        _text(32),
        ForeignKey("users.id", name="fk_access_keys_user", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("name", _text(KEY_NAME_LENGTH), nullable=False),
    Column("key_hash", _text(64), nullable=False),
    Column("permissions", _text(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("last_used_at", BigInteger),
    UniqueConstraint("key_hash", name="uq_access_keys_key_hash"),
)
"""Keys, by SHA-256; `permissions` between blanks. Times in Unix seconds, of the last use to the
minute."""
