"""Adding, changing and removing users."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import structlog

from auth.errors import EmailTaken, LastAdministrator, UserNotFound, WrongPassword
from auth.passwords import Passwords
from auth.repository import UserStore, UserTable
from auth.users import NewUser, User, UserChanges
from muster.database import ConstraintViolated
from muster.tokens import Principal

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SLACK = 60
"""Seconds that the clocks of the services may differ."""
SINGLE_ENDS = 100
"""How many tokens of a user may be listed as ended one by one; so the list stays short."""


class Accounts:
    """The users and what may be done with them. Every call may raise DatabaseUnavailable.

    `token_seconds` is how long a token lives: ended ones are announced for as long.
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

    def all(self) -> list[User]:
        """Every user, by email."""
        with self._store.reading() as users:
            return users.all()

    def get(self, user_id: str) -> User:
        """The user of that id; raises UserNotFound."""
        with self._store.reading() as users:
            return _present(users.get(user_id))

    def find(self, email: str) -> User:
        """The user of that email; raises UserNotFound."""
        with self._store.reading() as users:
            return _present(users.find(email))

    def add(self, new: NewUser) -> User:
        """Add a user; raises EmailTaken."""
        user = User(
            id=uuid.uuid4().hex,
            email=new.email,
            password_hash=self._passwords.hash(new.password.get_secret_value()),
            permissions=new.permissions,
        )
        try:
            with self._store.writing() as users:
                users.add(user)
        except ConstraintViolated as error:
            raise EmailTaken from error
        log.info("user added", user_id=user.id, permissions=sorted(user.permissions))
        return user

    def change(self, user_id: str, changes: UserChanges) -> User:
        """Change a user; their tokens end where something did change.

        Raises UserNotFound or LastAdministrator.
        """
        new_hash = None
        if changes.password is not None:
            new_hash = self._passwords.hash(changes.password.get_secret_value())
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
            changed = self._end_tokens(users, changed)
        log.info("user changed", user_id=user_id, fields=sorted(changes.model_fields_set))
        return changed

    def delete(self, user_id: str) -> None:
        """Remove a user; their tokens end. Raises UserNotFound or LastAdministrator."""
        with self._store.writing() as users:
            administrators = users.lock_administrators()
            _present(users.get(user_id))
            _keep_one(administrators, user_id)
            users.delete(user_id)
            self._announce(users, user_id, None)
        log.info("user deleted", user_id=user_id)

    def set_own_password(self, proven: User, password: str) -> None:
        """Give a user another password, unless they changed since they proved the old one.

        Raises WrongPassword if they did.
        """
        new_hash = self._passwords.hash(password)
        with self._store.writing() as users:
            user = users.get(proven.id)
            if user is None or user.generation != proven.generation:
                raise WrongPassword
            self._end_tokens(users, replace(user, password_hash=new_hash))
        log.info("password changed", user_id=proven.id)

    def end_token(self, principal: Principal) -> None:
        """End the token of `principal`: it is signed out.

        Who signs out more often than SINGLE_ENDS within the life of a token ends all of theirs.
        """
        with suppress(ConstraintViolated), self._store.writing() as users:
            user = users.get(principal.id)
            users.forget_ended(int(self._clock()) - _SLACK)
            if user is not None and users.count_ended(user.id) >= SINGLE_ENDS:
                self._end_tokens(users, user)
                users.forget_ended_of(user.id)
            else:
                users.end_token(principal.token_id, principal.id, principal.expires_at)
        log.info("signed out", user_id=principal.id)

    def revocations(self) -> tuple[dict[str, int | None], list[str]]:
        """Whose tokens, and which single ones, ended while such a token may still look valid.

        Of a user by id, the least generation that still counts, or None when none does; then the
        ids of single tokens.
        """
        with self._store.reading() as users:
            now = int(self._clock())
            return users.revoked_since(self._oldest_announced()), users.ended(now - _SLACK)

    def _end_tokens(self, users: UserTable, user: User) -> User:
        raised = replace(user, generation=user.generation + 1)
        users.save(raised)
        self._announce(users, user.id, raised.generation)
        return raised

    def _announce(self, users: UserTable, user_id: str, generation: int | None) -> None:
        users.forget_revocations(self._oldest_announced())
        users.revoke(user_id, generation, int(self._clock()))

    def _oldest_announced(self) -> int:
        return int(self._clock()) - self._announced_for


def _present(user: User | None) -> User:
    if user is None:
        raise UserNotFound
    return user


def _either(new: T | None, old: T) -> T:
    return old if new is None else new


def _keep_one(administrators: frozenset[str], leaving: str) -> None:
    if administrators == {leaving}:
        raise LastAdministrator
