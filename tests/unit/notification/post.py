"""Fakes: a mailer that keeps what it is sent or fails as told, and a store that can go away."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from muster.contracts.emails import EmailChoice
from muster.contracts.links import LinkEmail
from muster.contracts.uploads import State, Upload
from muster.uploadstore.sqlite import SqliteUploadStore
from muster.weather import StoreUnavailable
from notification.accounts.auth_client import AuthUnavailable
from notification.channels.email.mailer import MailError


class FakeAuth:
    """Hands out the emails with links that it has; fails while it is away."""

    def __init__(self) -> None:
        self.emails: dict[str, LinkEmail] = {}
        self.away = False

    def __call__(self, email_id: str) -> LinkEmail | None:
        if self.away:
            raise AuthUnavailable("away")
        return self.emails.get(email_id)


class FakeMailer:
    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.error: MailError | None = None

    def send(self, message: EmailMessage) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(message)

    @contextmanager
    def session(self) -> Iterator[Callable[[EmailMessage], None]]:
        """`send`, for several."""
        yield self.send

    def withdraw(self, identifier: str) -> None:
        if self.error is not None:
            raise self.error
        self.sent = [each for each in self.sent if each["Message-ID"] != identifier]

    def check(self) -> None:
        return None


class Choices:
    """What users chose, each email by itself unless said otherwise; or nobody knows."""

    def __init__(self) -> None:
        self.made: dict[str, EmailChoice] = {}
        self.away = False

    def of(self, owner: str) -> EmailChoice:
        if self.away:
            raise AuthUnavailable("auth does not answer")
        return self.made.get(owner, "each")


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class UnsteadyStore(SqliteUploadStore):
    """A store whose calls named in `away` don't answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away: set[str] = set()

    def get(self, upload_id: str) -> Upload:
        self._answer("get")
        return super().get(upload_id)

    def update(self, upload_id: str, *, expect: Collection[State], **changes: Any) -> Upload:
        self._answer("update")
        return super().update(upload_id, expect=expect, **changes)

    def update_each(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State], **options: Any
    ) -> list[Upload]:
        self._answer("update_each")
        return super().update_each(changes, expect=expect, **options)

    def _answer(self, call: str) -> None:
        if call in self.away:
            raise StoreUnavailable(call)
