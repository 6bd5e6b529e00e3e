"""The rules of users: adding, changing and removing them, and ending their tokens."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from auth.audit import record
from auth.errors import (
    EmailTaken,
    LastAdministrator,
    NoUsers,
    OwnPassword,
    UserNotFound,
    WeakPassword,
    WrongPassword,
)
from auth.passwords import Passwords, weakness
from auth.repository import UserStore, UserTable
from auth.users import AddUserRequest, StoredUser, UserChanges
from muster.contracts.emails import EmailChoice
from muster.database import ConstraintViolated, WriteConflict
from muster.http.tokens import Principal

log = structlog.get_logger(__name__)

T = TypeVar("T")

_MOST_CONFLICTS = 4
_SLACK = 60
"""Seconds that the clocks of the services may differ."""
SINGLE_ENDS = 100
"""How many tokens of a user may be listed as ended one by one; so the list stays short."""


class Accounts:
    """The users and the rules for changing them. Every call may raise DatabaseUnavailable.

    `token_seconds` is the lifetime of a token: one that was ended is listed for that long.
    """

    def __init__(
        self,
        store: UserStore,
        passwords: Passwords,
        token_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._announced_for = token_seconds + _SLACK
        self._clock = clock

    def all(self) -> list[StoredUser]:
        """Every user, by email."""
        with self._store.reading() as users:
            return users.all()

    def check(self) -> None:
        """Return if there is a user who can log in; raises NoUsers."""
        if all(user.disabled for user in self.all()):
            raise NoUsers

    def get(self, user_id: str) -> StoredUser:
        """The user of that id; raises UserNotFound."""
        with self._store.reading() as users:
            return _present(users.get(user_id))

    def find(self, email: str) -> StoredUser:
        """The user of that email; raises UserNotFound."""
        with self._store.reading() as users:
            return _present(users.find(email))

    def add(self, new: AddUserRequest) -> StoredUser:
        """Add a user; raises EmailTaken or WeakPassword."""
        user = StoredUser(
            id=uuid.uuid4().hex,
            email=new.email,
            password_hash=self.hash_new(new.password.get_secret_value(), new.email),
            permissions=new.permissions,
        )
        try:
            with self._store.writing() as users:
                users.add(user)
                record(users, "user-added", user.email)
        except ConstraintViolated as error:
            raise EmailTaken from error
        log.info("user added", user_id=user.id, permissions=sorted(user.permissions))
        return user

    def change(self, user_id: str, changes: UserChanges, by: str | None = None) -> StoredUser:
        """Change a user; their tokens end where something did change.

        `by` is the id of the user who makes the change, None for an operator in a shell. Raises
        UserNotFound, LastAdministrator, WeakPassword, or OwnPassword: a token alone, which may be
        stolen, must not be enough to take over an account.
        """
        new_hash = None
        if changes.password is not None:
            if by == user_id:
                raise OwnPassword
            new_hash = self.hash_new(changes.password.get_secret_value(), self.get(user_id).email)
        return _again(partial(self._change, user_id, changes, new_hash))

    def _change(self, user_id: str, changes: UserChanges, new_hash: str | None) -> StoredUser:
        with self._store.writing() as users:
            administrators = users.lock_administrators()
            user = _present(users.get(user_id))
            changed = replace(
                user,
                permissions=_either(changes.permissions, user.permissions),
                disabled=_either(changes.disabled, user.disabled),
                password_hash=_either(new_hash, user.password_hash),
            )
            if changed == user:
                return user
            if not changed.administers:
                _keep_one(administrators, user_id)
            if new_hash is not None:
                _end_with_password(users, user_id)
            if changed.disabled:
                users.keys.delete_of(user_id)
                users.links.delete_of(user_id)
            changed = self._end_tokens(users, changed)
            record(users, "user-changed", f"{user.email}: {_difference(user, changed)}")
        log.info("user changed", user_id=user_id, fields=sorted(changes.model_fields_set))
        return changed

    def delete(self, user_id: str) -> None:
        """Remove a user; their tokens end. Raises UserNotFound or LastAdministrator."""
        _again(partial(self._delete, user_id))

    def _delete(self, user_id: str) -> None:
        with self._store.writing() as users:
            administrators = users.lock_administrators()
            user = _present(users.get(user_id))
            _keep_one(administrators, user_id)
            users.delete(user_id)
            record(users, "user-deleted", user.email)
            self._announce(users, user_id, None)
        log.info("user deleted", user_id=user_id)

    def choose_emails(self, user_id: str, emails: EmailChoice) -> StoredUser:
        """Have the user get those emails from now on; raises UserNotFound. No token ends."""
        with self._store.writing() as users:
            user = _present(users.get(user_id))
            users.choose_emails(user_id, emails)
        log.info("emails chosen", user_id=user_id, emails=emails)
        return replace(user, emails=emails)

    def emails_of(self, user_id: str) -> EmailChoice:
        """Which emails the user wants: each of them, where there is no such user any more."""
        with self._store.reading() as users:
            user = users.get(user_id)
        return "each" if user is None else user.emails

    def set_own_password(self, proven: StoredUser, password: str) -> None:
        """Set a user's password, unless the user has changed since proving the old one.

        Raises WrongPassword if they did, and WeakPassword.
        """
        new_hash = self.hash_new(password, proven.email, "new_password")
        with self._store.writing() as users:
            user = users.get(proven.id)
            if user is None or user.generation != proven.generation:
                raise WrongPassword
            self.replace_password(users, user, new_hash)
            record(users, "password-changed", user=user)
        log.info("password changed", user_id=proven.id)

    def replace_password(self, users: UserTable, user: StoredUser, new_hash: str) -> None:
        """Keep another password of the user, whose tokens, keys and links end."""
        _end_with_password(users, user.id)
        self._end_tokens(users, replace(user, password_hash=new_hash))

    def end_token(self, principal: Principal) -> None:
        """End the token of `principal`: it is signed out."""
        with suppress(ConstraintViolated), self._store.writing() as users:
            self.end_single(users, principal.id, principal.token_id, principal.expires_at)
            record(users, "signed-out")
        log.info("signed out", user_id=principal.id)

    def end_single(self, users: UserTable, user_id: str, token_id: str, expires_at: int) -> None:
        """End the tokens of that `jti`, of which none is valid beyond `expires_at`.

        After SINGLE_ENDS of them within the lifetime of a token, all tokens of the user end.
        """
        user = users.get(user_id)
        users.forget_ended(int(self._clock()) - _SLACK)
        if user is not None and users.count_ended(user_id) >= SINGLE_ENDS:
            self._end_tokens(users, user)
            users.forget_ended_of(user_id)
        else:
            users.end_token(token_id, user_id, expires_at)

    def revocations(self) -> tuple[dict[str, int | None], list[str]]:
        """The tokens that were ended and may still look valid: of users, then single ones.

        By user id, the lowest generation that still counts, or None if none does; then the ids of
        single tokens.
        """
        with self._store.reading() as users:
            now = int(self._clock())
            return users.revoked_since(self._oldest_announced()), users.ended(now - _SLACK)

    def hash_new(self, new_password: str, email: str, field: str = "password") -> str:
        """The hash of a new password for the user of `email`; raises WeakPassword."""
        reason = weakness(new_password, email)
        if reason is not None:
            raise WeakPassword(reason, field)
        return self._passwords.hash(new_password)

    def _end_tokens(self, users: UserTable, user: StoredUser) -> StoredUser:
        raised = replace(user, generation=user.generation + 1)
        users.save(raised)
        self._announce(users, user.id, raised.generation)
        return raised

    def _announce(self, users: UserTable, user_id: str, generation: int | None) -> None:
        users.forget_revocations(self._oldest_announced())
        users.revoke(user_id, generation, int(self._clock()))

    def _oldest_announced(self) -> int:
        return int(self._clock()) - self._announced_for


def _again(change: Callable[[], T]) -> T:
    """Run the transaction again if another wrote the same rows: then it sees what that wrote."""
    for _ in range(_MOST_CONFLICTS):
        with suppress(WriteConflict):
            return change()
    return change()


def _difference(before: StoredUser, after: StoredUser) -> str:
    """What changed of a user, without a password: `disabled, -rows:write, +users:admin`."""
    parts = []
    if before.disabled != after.disabled:
        parts.append("disabled" if after.disabled else "enabled")
    if before.password_hash != after.password_hash:
        parts.append("password set")
    parts += [f"-{name}" for name in sorted(before.permissions - after.permissions)]
    parts += [f"+{name}" for name in sorted(after.permissions - before.permissions)]
    return ", ".join(parts)


def _end_with_password(users: UserTable, user_id: str) -> None:
    """Remove all that whoever knew the former password may have brought in."""
    users.forget_networks(user_id)
    users.keys.delete_of(user_id)
    users.links.delete_of(user_id, "password-reset")


def _present(user: StoredUser | None) -> StoredUser:
    if user is None:
        raise UserNotFound
    return user


def _either(new: T | None, old: T) -> T:
    return old if new is None else new


def _keep_one(administrators: frozenset[str], leaving: str) -> None:
    if administrators == {leaving}:
        raise LastAdministrator
