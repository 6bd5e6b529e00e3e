"""The tables of the auth database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
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
links = Table(
    "links",
    metadata,
    Column("id", _text(32), primary_key=True),
    Column("kind", _text(16), nullable=False),
    Column(
        "user_id",
        _text(32),
        ForeignKey("users.id", name="fk_links_user", ondelete="CASCADE"),
        index=True,
    ),
    Column("email", _text(EMAIL_LENGTH), nullable=False),
    Column("account_key", _text(EMAIL_LENGTH), nullable=False, index=True),
    Column("permissions", _text(255), nullable=False),
    Column("requested_at", BigInteger, nullable=False, index=True),
    Column("published", Boolean, nullable=False, index=True),
    Column("claimed_until", BigInteger, nullable=False),
    Column("request_id", _text(128), nullable=False),
    Column("traceparent", _text(55), nullable=False),
)
"""One-time links that were asked for and not used yet; what was used is removed.

`user_id` is whose password a link sets, or who invited; NULL if nothing is to be sent. A process
that publishes the message about one claims it until then, in Unix seconds.
"""
link_tokens = Table(
    "link_tokens",
    metadata,
    Column("token_hash", _text(64), primary_key=True),
    Column(
        "link_id",
        _text(32),
        ForeignKey("links.id", name="fk_link_tokens_link", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)
"""What opens a link, by SHA-256: one for each time that its email was made."""
audit_log = Table(
    "audit_log",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("at", BigInteger, nullable=False, index=True),
    Column("action", _text(32), nullable=False),
    Column("user_id", _text(32)),
    Column("email", _text(EMAIL_LENGTH), nullable=False),
    Column("subject", _text(255), nullable=False),
    Column("address", _text(64), nullable=False),
    Column("key_id", _text(32)),
    Column("request_id", _text(128), nullable=False),
    Index("ix_audit_log_action", "action", "id"),
    Index("ix_audit_log_user", "user_id", "id"),
)
"""Who did what; the email as it was then. No foreign keys: an entry outlives its user and key."""
