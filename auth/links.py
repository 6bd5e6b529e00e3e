"""The rules of one-time links: to set a password that was forgotten, and to accept an invitation.

A link opens by a token that stands in an email alone. Auth makes it when notification fetches the
email, and keeps its SHA-256; the message between them has the link's id. An email that is made
again, because nobody knows whether the first was sent, has a token of its own, and both open the
link: whichever is used first ends it.
"""

import secrets
import time
import uuid
from collections.abc import Callable

import structlog

from auth.accounts import Accounts
from auth.audit import record
from auth.errors import EmailTaken, LinkNotFound, LinkNotValid, TooManyEmails, UserChanged
from auth.limits import GuessLimiter
from auth.repository import UserStore, UserTable
from auth.users import InvitationRequest, Link, StoredUser, account_key, timestamp
from muster.contracts.links import LinkEmail, LinkKind
from muster.database import ConstraintViolated
from muster.http.access_keys import hash_of
from muster.http.rate_limits import RateLimit, announce
from muster.http.tokens import Principal
from muster.observability.tracing import current_trace

log = structlog.get_logger(__name__)

LINK_SECONDS = 24 * 3600
EMAILS_PER_HOUR = 3
"""To one address."""
_HOUR = 3600
_TOKEN_BYTES = 32


class Links:
    """The one-time links. Every call may raise DatabaseUnavailable.

    `guesses` limits tokens that open nothing, `requests` how many emails an address asks for.
    """

    def __init__(
        self,
        store: UserStore,
        accounts: Accounts,
        guesses: GuessLimiter,
        requests: GuessLimiter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._guesses = guesses
        self._requests = requests
        self._clock = clock

    def request_reset(self, email: str, address: str) -> None:
        """Have a link to set a new password sent, if an enabled user has that email.

        Whether there is, takes the same statements and shows in nothing: for nobody, or after too
        many emails, a link is written too, which the outbox removes. Raises TooManyAttempts.
        """
        self._requests.check(address)
        self._requests.count(address)
        now = int(self._clock())
        with self._store.writing() as users:
            user_id = users.find_enabled(email)
            sent = users.links.count_sent(account_key(email), now - _HOUR)
            link = _new_link("password-reset", email, frozenset(), now)
            users.links.add(link, user_id if sent < EMAILS_PER_HOUR else None)
            # Of nobody's, what was typed stays out: an entry is written in any case.
            subject = "" if user_id is None else email
            record(users, "password-reset-requested", subject)
        log.info("password reset requested", link_id=link.id)

    def invite(self, by: Principal, new: InvitationRequest) -> Link:
        """Have an invitation sent; raises EmailTaken, TooManyEmails or UserChanged."""
        now = int(self._clock())
        with self._store.writing() as users:
            # Two at once wait for each other, and count each other's.
            if by.id not in users.lock_administrators():
                raise UserChanged
            if users.find(new.email) is not None:
                raise EmailTaken
            left = EMAILS_PER_HOUR - users.links.count_sent(account_key(new.email), now - _HOUR) - 1
            announce(RateLimit("invitations", EMAILS_PER_HOUR, left, _HOUR, _HOUR))
            if left < 0:
                raise TooManyEmails(EMAILS_PER_HOUR)
            link = _new_link("invitation", new.email, new.permissions, now)
            users.links.add(link, by.id)
            record(users, "user-invited", link.email)
        log.info("user invited", link_id=link.id, permissions=sorted(new.permissions))
        return link

    def make_email(self, link_id: str) -> LinkEmail:
        """The email with a link, and a new token in it.

        Raises LinkNotFound if it is not to be sent: it was used, is over, or stands for nobody.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._store.writing() as users:
            link = users.links.get(link_id)
            user = None if link is None or self._is_over(link) else _user_of(users, link)
            if link is None or user is None:
                raise LinkNotFound
            users.links.add_token(link.id, hash_of(token))
        return LinkEmail(
            kind=link.kind,
            # As its user writes it, not as whoever asked did.
            to=user.email if link.kind == "password-reset" else link.email,
            token=token,
            requested_at=timestamp(link.requested_at),
            expires_at=timestamp(link.requested_at + LINK_SECONDS),
            invited_by=user.email if link.kind == "invitation" else None,
        )

    def reset_password(self, token: str, password: str, address: str) -> None:
        """Set the password of the link's user, whose tokens, keys and links end.

        Raises LinkNotValid, WeakPassword, and TooManyAttempts after too many invalid tokens.
        """
        _, user = self._open("password-reset", token, address)
        new_hash = self._accounts.hash_new(password, user.email)
        with self._store.writing() as users:
            # The user first, as whoever changes them does. Of two at once, one finds no link.
            users.get(user.id)
            link = self._find(users, "password-reset", token)
            owner = None if link is None else _user_of(users, link)
            if owner is None:
                raise LinkNotValid
            self._accounts.replace_password(users, owner, new_hash)
            record(users, "password-reset", user=owner)
        log.info("password reset", user_id=user.id)

    def accept_invitation(self, token: str, password: str, address: str) -> StoredUser:
        """Add the user who was invited.

        Raises LinkNotValid, WeakPassword, EmailTaken, and TooManyAttempts.
        """
        invitation, inviter = self._open("invitation", token, address)
        new_hash = self._accounts.hash_new(password, invitation.email)
        try:
            with self._store.writing() as users:
                users.get(inviter.id)
                link = self._find(users, "invitation", token)
                if link is None or _user_of(users, link) is None:
                    raise LinkNotValid
                user = StoredUser(uuid.uuid4().hex, link.email, new_hash, link.permissions)
                users.add(user)
                users.links.delete(link.id)
                record(users, "invitation-accepted", user=user)
        except ConstraintViolated as error:
            raise EmailTaken from error
        log.info("invitation accepted", user_id=user.id, permissions=sorted(user.permissions))
        return user

    def _open(self, kind: LinkKind, token: str, address: str) -> tuple[Link, StoredUser]:
        """The link, before anything is spent on a password."""
        self._guesses.check(address)
        with self._store.reading() as users:
            link = self._find(users, kind, token)
            user = None if link is None else _user_of(users, link)
        if link is None or user is None:
            self._guesses.count(address)
            log.warning("link refused", address=address)
            raise LinkNotValid
        return link, user

    def _find(self, users: UserTable, kind: LinkKind, token: str) -> Link | None:
        link = users.links.find(hash_of(token))
        return None if link is None or link.kind != kind or self._is_over(link) else link

    def _is_over(self, link: Link) -> bool:
        return link.requested_at + LINK_SECONDS <= self._clock()


def _user_of(users: UserTable, link: Link) -> StoredUser | None:
    """Whose password the link sets, or who invited, while they may."""
    user = None if link.user_id is None else users.get(link.user_id)
    if user is None or user.disabled:
        return None
    return user if link.kind == "password-reset" or user.administers else None


def _new_link(kind: LinkKind, email: str, permissions: frozenset[str], now: int) -> Link:
    trace = current_trace()
    return Link(
        id=uuid.uuid4().hex,
        kind=kind,
        email=email,
        permissions=permissions,
        requested_at=now,
        request_id=trace.request_id,
        traceparent=trace.traceparent,
    )
