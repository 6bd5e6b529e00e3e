"""How the uploader is notified, one folder per channel: the port, and the place that chooses.

A channel may import `notification.accounts`, `wording` and `settings`, and no other channel.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from muster.contracts.links import LinkEmail
from muster.contracts.uploads import Upload
from notification.settings import Settings


class DeliveryError(Exception):
    """It was not delivered. `permanent` says that the same upload will never be."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


Send = Callable[[Sequence[Upload]], None]


class Channel(Protocol):
    """A way to tell the person who sent an upload what became of it."""

    def send(self, uploads: Sequence[Upload]) -> None:
        """Return once one message about final uploads of a user is taken for delivery.

        Sent again with the same first upload and as many it is recognisable as a repeat. Raises
        DeliveryError.
        """

    def session(self) -> AbstractContextManager[Send]:
        """`send`, for several messages in a row; raises DeliveryError, maybe only at its end."""

    def withdraw(self, upload: Upload) -> None:
        """Remove the message about the upload from where it is still ours; raises DeliveryError."""

    def check(self) -> None:
        """Return if messages can be delivered now; raises DeliveryError."""


class AccountSender(Protocol):
    """A way to send somebody a one-time link."""

    def send(self, email_id: str, email: LinkEmail) -> None:
        """Return once the message is taken for delivery; raises DeliveryError.

        Sent again for the same id it is recognisable as a repeat.
        """


def open_channel(settings: Settings) -> Channel:
    """The channel that `settings` ask for; connects at first use. Raises ConfigurationError."""
    from notification.channels.email.channel import EmailChannel

    return EmailChannel.from_settings(settings)


def open_account_sender(settings: Settings) -> AccountSender:
    """What sends emails with one-time links; connects at first use. Raises ConfigurationError."""
    from notification.channels.email.account import AccountEmailSender

    return AccountEmailSender.from_settings(settings)
