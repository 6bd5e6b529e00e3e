"""Logins: proving an identity by a password, under limits."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog
from prometheus_client import Counter

from auth.accounts import Accounts
from auth.audit import AuditLog
from auth.errors import TooManyAttempts, TooManyLogins, WrongCredentials, WrongPassword
from auth.limits import LoginLimiter, PasswordChecks, network_of
from auth.passwords import Passwords
from auth.repository import UserStore
from auth.users import PasswordChangeRequest, StoredUser, account_key
from muster.database import ConstraintViolated, DatabaseUnavailable
from muster.observability.tracing import bind_log_fields

log = structlog.get_logger(__name__)

DAY = 24 * 3600
NETWORKS_KEPT = 90 * DAY
"""Seconds without a login after which an address is not known any more."""

LOGINS = Counter(
    "muster_logins_total", "Logins by outcome: success, failure or limited.", ("outcome",)
)
# From 0: a rate over a series that begins at its first event misses that event.
for _outcome in ("success", "failure", "limited"):
    LOGINS.labels(_outcome)


class Logins:
    """Checks passwords. Every call may raise TooManyAttempts, TooManyLogins, DatabaseUnavailable.

    `address` is the caller's IP address. An account is one, however its email is written.
    """

    def __init__(
        self,
        store: UserStore,
        accounts: Accounts,
        passwords: Passwords,
        limiter: LoginLimiter,
        checks: PasswordChecks,
        audit: AuditLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._passwords = passwords
        self._limiter = limiter
        self._checks = checks
        self._audit = audit
        self._clock = clock

    def log_in(self, email: str, password: str, address: str) -> StoredUser:
        """The enabled user with that email and password; raises WrongCredentials.

        An unknown email, a disabled user and a wrong password differ neither in the answer nor in
        the time that it takes.
        """
        try:
            user = self._prove(email, password, address)
        except (TooManyAttempts, TooManyLogins):
            LOGINS.labels("limited").inc()
            raise
        LOGINS.labels("failure" if user is None else "success").inc()
        self._audit.note_sign_in(email, user)
        if user is None:
            log.warning("login failed", address=address)
            raise WrongCredentials
        bind_log_fields(user=user.id)
        return user

    def change_password(self, user_id: str, change: PasswordChangeRequest, address: str) -> None:
        """Change the user's password; their tokens end.

        Raises UserNotFound, WeakPassword, and WrongPassword unless the current password is right.
        """
        email = self._accounts.get(user_id).email
        proven = self._prove(email, change.current_password.get_secret_value(), address)
        if proven is None:
            raise WrongPassword
        self._accounts.set_own_password(proven, change.new_password.get_secret_value())

    def _prove(self, email: str, password: str, address: str) -> StoredUser | None:
        account, network = account_key(email), network_of(address)
        with self._limiter.attempt(account, address, partial(self._is_known, email, network)) as (
            attempt
        ):
            with self._store.reading() as users:
                user = users.find(email)
                seen_at = None if user is None else users.seen_from(user.id, network)
            kept = None if user is None else user.password_hash
            is_right = self._checks.run(
                partial(self._passwords.matches, kept, password), is_known=self._is_fresh(seen_at)
            )
            if not is_right or user is None or user.disabled:
                attempt.failed = True
                return None
        if seen_at is None or seen_at < self._clock() - DAY:
            self._remember(user, network)
        if self._passwords.is_outdated(user.password_hash):
            with self._store.writing() as users:
                users.replace_hash(user, self._passwords.hash(password))
        return user

    def _is_known(self, email: str, network: str) -> bool:
        with self._store.reading() as users:
            user = users.find(email)
            return user is not None and self._is_fresh(users.seen_from(user.id, network))

    def _is_fresh(self, seen_at: int | None) -> bool:
        return seen_at is not None and seen_at >= self._clock() - NETWORKS_KEPT

    def _remember(self, user: StoredUser, network: str) -> None:
        now = int(self._clock())
        # A login needs no database that can be written; and the user may just have been deleted.
        with suppress(DatabaseUnavailable, ConstraintViolated), self._store.writing() as users:
            users.forget_networks_before(now - NETWORKS_KEPT)
            users.see(user.id, network, now)
