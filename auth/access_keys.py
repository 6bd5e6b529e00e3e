"""The rules of access keys: making, revoking, and exchanging one for a token."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress

import structlog

from auth.accounts import Accounts
from auth.audit import record
from auth.errors import InvalidKey, InvalidKeyRequest, KeyNotFound, TooManyKeys, UserChanged
from auth.limits import GuessLimiter
from auth.repository import UserStore
from auth.tokens import KEY_TOKEN_SECONDS, AccessTokens
from auth.users import AccessKey, NewKeyRequest, StoredUser
from muster.database import DatabaseUnavailable
from muster.http.access_keys import hash_of, is_well_formed, new_key
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields

log = structlog.get_logger(__name__)

MOST_KEYS = 50
"""Of one user."""
_DAY = 24 * 3600
LONGEST_SECONDS = 366 * _DAY
_LISTED_SECONDS = 30 * _DAY
"""How long a key stays in the list after its time is over."""
_USE_NOTED_SECONDS = 60


class AccessKeys:
    """The keys of the users. Every call may raise DatabaseUnavailable.

    A key belongs to a user, and ends when they are disabled or deleted, or get another password.
    """

    def __init__(
        self,
        store: UserStore,
        accounts: Accounts,
        tokens: AccessTokens,
        limiter: GuessLimiter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._tokens = tokens
        self._limiter = limiter
        self._clock = clock

    def of(self, user_id: str) -> list[AccessKey]:
        """The keys of a user, the newest first; also those whose time has just been over."""
        with self._store.reading() as users:
            return users.keys.of(user_id)

    def add(self, owner: Principal, new: NewKeyRequest) -> tuple[AccessKey, str]:
        """Make a key: what is kept of it, and the key, which nobody can find out again.

        Raises InvalidKeyRequest, TooManyKeys or UserChanged.
        """
        now = int(self._clock())
        expires_at = _checked_end(int(new.expires_at.timestamp()), now)
        secret = new_key()
        with self._store.writing() as users:
            user = users.get(owner.id)
            if user is None or user.disabled or user.generation != owner.generation:
                # Whatever ended the token has ended the keys that there were.
                raise UserChanged
            if lacking := new.permissions - user.permissions:
                raise InvalidKeyRequest(
                    "permissions", f"You do not have {', '.join(sorted(lacking))} yourself."
                )
            users.keys.forget_expired(now - _LISTED_SECONDS)
            if len(users.keys.of(user.id)) >= MOST_KEYS:
                raise TooManyKeys(MOST_KEYS)
            key = AccessKey(uuid.uuid4().hex, user.id, new.name, new.permissions, now, expires_at)
            users.keys.add(key, hash_of(secret))
            may = ", ".join(sorted(key.permissions))
            record(users, "key-made", f"{key.name}: {may}", user)
        log.info("key made", key_id=key.id, permissions=sorted(key.permissions))
        return key, secret

    def revoke(self, owner: Principal, key_id: str) -> None:
        """Remove a key of the owner's; its tokens end. Raises KeyNotFound."""
        with self._store.writing() as users:
            # Of two who revoke it at once, the lock on the user lets the second see no key.
            user = users.get(owner.id)
            key = next((each for each in users.keys.of(owner.id) if each.id == key_id), None)
            if key is None:
                raise KeyNotFound
            users.keys.delete(key_id)
            record(users, "key-revoked", key.name, user)
            end = int(self._clock()) + KEY_TOKEN_SECONDS
            self._accounts.end_single(users, owner.id, key_id, end)
        log.info("key revoked", key_id=key_id)

    def exchange(self, secret: str, address: str) -> str:
        """A token for who holds the key, and asks from `address`.

        Raises InvalidKey, and TooManyAttempts after too many invalid ones from there.
        """
        self._limiter.check(address)
        # Before the key is read: no token outlives what a revocation that comes later lists.
        now = int(self._clock())
        found = self._find(secret, now) if is_well_formed(secret) else None
        if found is None:
            self._limiter.count(address)
            log.warning("key refused", address=address)
            raise InvalidKey
        key, user = found
        bind_log_fields(user=user.id)
        self._note_use(key, now)
        return self._tokens.issue_for_key(user, key, now)

    def _find(self, secret: str, now: int) -> tuple[AccessKey, StoredUser] | None:
        """The key and its owner, if both are good.

        In one view of the database: of a key that a change of its owner removes, no token may have
        the generation that the change gives them.
        """
        with self._store.reading() as users:
            key = users.keys.find(hash_of(secret))
            user = None if key is None else users.get(key.user_id)
        if key is None or key.expires_at <= now or user is None or user.disabled:
            return None
        return key, user

    def _note_use(self, key: AccessKey, now: int) -> None:
        if key.last_used_at is not None and key.last_used_at > now - _USE_NOTED_SECONDS:
            return
        # The key is good without it, also while the database takes no writes.
        with suppress(DatabaseUnavailable), self._store.writing() as users:
            users.keys.use(key.id, now)


def _checked_end(expires_at: int, now: int) -> int:
    if expires_at <= now:
        raise InvalidKeyRequest("expires_at", "This time is over.")
    if expires_at > now + LONGEST_SECONDS:
        raise InvalidKeyRequest(
            "expires_at", f"A key lives {LONGEST_SECONDS // _DAY} days at most: make another then."
        )
    return expires_at
