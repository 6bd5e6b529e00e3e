"""Emails about accounts: fetched from auth when they are asked for, and sent.

The message that asks for one has its id alone. What opens the link comes from auth, over HTTP,
and goes into the email: it is in no queue, no dead letter, no log and no database.
"""

from collections.abc import Callable

import structlog
from pydantic import SecretStr, TypeAdapter, ValidationError

from muster.contracts.links import LinkEmail
from notification.auth_client import AuthClient, AuthUnavailable
from notification.channels import AccountSender
from notification.notifier import EmailOutcome

log = structlog.get_logger(__name__)

_LINK_EMAIL = TypeAdapter(LinkEmail)


Fetch = Callable[[str], LinkEmail | None]
"""Hands out the email of an id, None if there is nothing to send. Raises AuthUnavailable."""


class AccountEmails:
    """Sends what was asked for. A repeat has the same `Message-ID`, and a link that opens, too."""

    def __init__(self, fetch: Fetch, sender: AccountSender) -> None:
        self._fetch = fetch
        self._sender = sender

    def send(self, email_id: str) -> EmailOutcome:
        """Send the email; returns what became of it.

        REPEATED means that there is nothing to send: the link was used, or is over. Raises
        AuthUnavailable and DeliveryError.
        """
        email = self._fetch(email_id)
        if email is None:
            return EmailOutcome.REPEATED
        self._sender.send(email_id, email)
        log.info("account email sent", kind=email.kind)
        return EmailOutcome.SENT


class AuthEmails:
    """Fetches emails from the auth service at `url`, which knows this one by `secret`."""

    def __init__(self, url: str, secret: SecretStr | None) -> None:
        self._auth = AuthClient(url)
        self._secret = secret

    def __call__(self, email_id: str) -> LinkEmail | None:
        """The email of that id; None if there is nothing to send. Raises AuthUnavailable."""
        if self._secret is None:
            raise AuthUnavailable("MUSTER_EMAIL_SECRET is not set")
        known_by = {"Authorization": f"Bearer {self._secret.get_secret_value()}"}
        answer = self._auth.ask("POST", f"/internal/emails/{email_id}", known_by)
        if answer is None:
            return None
        try:
            return _LINK_EMAIL.validate_json(answer)
        except ValidationError as error:
            # Without the text of the error, which quotes what was sent.
            raise AuthUnavailable(f"{error.error_count()} fields are not as agreed") from None
