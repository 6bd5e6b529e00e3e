"""Proving who one is by a password, under a limit of failures."""

import structlog
from prometheus_client import Counter

from auth.accounts import Accounts
from auth.errors import TooManyAttempts, WrongCredentials, WrongPassword
from auth.limits import LoginLimiter
from auth.passwords import Passwords
from auth.repository import UserStore
from auth.users import PasswordChange, User, account_key
from muster.tracing import concerning

log = structlog.get_logger(__name__)

LOGINS = Counter(
    "muster_logins_total", "Logins by outcome: success, failure or limited.", ("outcome",)
)
# From 0: a rate over a series that begins at its first event misses that event.
for _outcome in ("success", "failure", "limited"):
    LOGINS.labels(_outcome)


class Logins:
    """Checks passwords. Every call may raise TooManyAttempts and DatabaseUnavailable.

    `address` is the caller's IP address, the account is counted however its email is written.
    """

    def __init__(
        self, store: UserStore, accounts: Accounts, passwords: Passwords, limiter: LoginLimiter
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._passwords = passwords
        self._limiter = limiter

    def log_in(self, email: str, password: str, address: str) -> User:
        """The enabled user with that email and password; raises WrongCredentials.

        An unknown email, a disabled user and a wrong password differ neither in the answer nor in
        the time that it takes.
        """
        try:
            user = self._prove(email, password, address)
        except TooManyAttempts:
            LOGINS.labels("limited").inc()
            raise
        LOGINS.labels("failure" if user is None else "success").inc()
        if user is None:
            log.warning("login failed", address=address)
            raise WrongCredentials
        concerning(user=user.id)
        return user

    def change_password(self, user_id: str, change: PasswordChange, address: str) -> None:
        """Give the user another password; their tokens end.

        Raises UserNotFound, and WrongPassword unless the current password is right.
        """
        email = self._accounts.get(user_id).email
        proven = self._prove(email, change.current_password.get_secret_value(), address)
        if proven is None:
            raise WrongPassword
        self._accounts.set_own_password(proven, change.new_password.get_secret_value())

    def _prove(self, email: str, password: str, address: str) -> User | None:
        with self._limiter.attempt(account_key(email), address) as attempt:
            with self._store.reading() as users:
                user = users.find(email)
            kept = None if user is None else user.password_hash
            if not self._passwords.matches(kept, password) or user is None or user.disabled:
                attempt.failed = True
                return None
        if self._passwords.is_outdated(user.password_hash):
            with self._store.writing() as users:
                users.replace_hash(user, self._passwords.hash(password))
        return user
