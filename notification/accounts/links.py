"""The emails about accounts that auth has somebody sent, fetched by the id that asks for one.

The message that asks for one has its id alone. What opens the link comes from auth, over HTTP,
and goes into the email: it is in no queue, no dead letter, no log and no database.
"""

from pydantic import SecretStr, TypeAdapter, ValidationError

from muster.contracts.links import LinkEmail
from notification.accounts.auth_client import AuthClient, AuthUnavailable

_LINK_EMAIL = TypeAdapter(LinkEmail)


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
