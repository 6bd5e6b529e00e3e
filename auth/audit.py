"""The audit log: who signed in, and who changed what that decides who may do what.

An entry about users, keys and links is written in the transaction that changes them: there is none
without the other. The gateway has undos, erasures and webhooks noted before it begins them. No
entry has a password, a token, a key, or what was typed where an email should be.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import structlog
from flask import g, has_request_context, request
from pydantic import BaseModel, ConfigDict, Field

from auth.repository import UserStore, UserTable
from auth.users import AuditEntry, StoredUser
from muster.database import DatabaseUnavailable
from muster.http.tokens import Principal
from muster.observability.tracing import current_trace

log = structlog.get_logger(__name__)

OwnAction = Literal[
    "signed-in",
    "sign-in-failed",
    "signed-out",
    "password-changed",
    "password-reset-requested",
    "password-reset",
    "user-added",
    "user-changed",
    "user-deleted",
    "user-invited",
    "invitation-accepted",
    "key-made",
    "key-revoked",
]
NotedAction = Literal["undo", "erasure", "webhook-made", "webhook-changed", "webhook-deleted"]
"""What the gateway has noted."""
ACTIONS: tuple[str, ...] = (*get_args(OwnAction), *get_args(NotedAction))
MOST_PER_ACTION = 20_000
"""Of each: failed sign-ins, which anybody can cause, push no other entry out."""
SUBJECT_LENGTH = 255
OPERATOR = "an operator, in a shell"
_DAY = 24 * 3600


@dataclass(frozen=True)
class AuditQuery:
    """Which entries to list: those older than the entry `before`."""

    action: str | None = None
    user_id: str | None = None
    before: int | None = None
    limit: int = 50


class AuditRequest(BaseModel):
    """How the API asks for entries; construction raises pydantic's ValidationError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal[OwnAction, NotedAction] | None = None
    user: str | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: int | None = Field(default=None, ge=1, lt=2**63)


class AuditNote(BaseModel):
    """What the gateway has noted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    action: NotedAction
    subject: str = Field(max_length=SUBJECT_LENGTH)


class AuditLog:
    """The entries, which are kept for `days`. Every call may raise DatabaseUnavailable."""

    def __init__(self, store: UserStore, days: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._seconds = days * _DAY
        self._clock = clock

    def list(self, query: AuditQuery) -> tuple[list[AuditEntry], int | None]:
        """A page of entries, newest first, and what is `before` for the next; None at the end."""
        with self._store.reading() as users:
            found = users.audit.list(
                int(self._clock()) - self._seconds,
                query.action,
                query.user_id,
                query.before,
                query.limit + 1,
            )
        shown = found[: query.limit]
        return shown, shown[-1].id if len(found) > query.limit else None

    def note(self, by: Principal, action: NotedAction, subject: str) -> None:
        """Note what the gateway is about to do for that user."""
        with self._store.writing() as users:
            users.audit.add(_entry(action, subject, by.id, by.email))

    def note_sign_in(self, email: str, user: StoredUser | None) -> None:
        """Note a sign-in, or one of that email that failed, where the database takes writes.

        An email that nobody has is not kept: people type their passwords there.
        """
        action: OwnAction = "sign-in-failed" if user is None else "signed-in"
        try:
            if user is None:
                with self._store.reading() as users:
                    user = users.find(email)
            with self._store.writing() as users:
                record(users, action, user=user)
        except DatabaseUnavailable as error:
            log.warning("sign-in not noted", error=repr(error))

    def expire(self) -> None:
        """Remove entries that are too old, or too many."""
        with self._store.writing() as users:
            users.audit.forget(int(self._clock()) - self._seconds, ACTIONS, MOST_PER_ACTION)


def record(
    users: UserTable, action: OwnAction, subject: str = "", user: StoredUser | None = None
) -> None:
    """Add an entry in this transaction: by `user`, else by who sent the request.

    As the request's id and trace, who sent it stands in its context; without one it is an operator.
    """
    by: Principal | StoredUser | None = user
    if by is None and has_request_context():
        by = g.get("principal")
    if by is not None:
        users.audit.add(_entry(action, subject, by.id, by.email))
    elif has_request_context():
        users.audit.add(_entry(action, subject, None, ""))
    else:
        users.audit.add(_entry(action, subject, None, OPERATOR))


def _entry(action: str, subject: str, user_id: str | None, email: str) -> AuditEntry:
    address, key_id = "", None
    if has_request_context():
        address = (request.remote_addr or "")[:64]
        principal = g.get("principal")
        key_id = principal.token_id if principal is not None and principal.by_key else None
    return AuditEntry(
        id=0,
        at=int(time.time()),
        action=action,
        user_id=user_id,
        email=email,
        subject=subject[:SUBJECT_LENGTH],
        address=address,
        key_id=key_id,
        request_id=current_trace().request_id,
    )
