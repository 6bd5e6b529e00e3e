from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.http.service import provided
from notification.api.services import Services
from notification.app import create_app
from notification.channels.email.account import AccountEmailSender
from notification.channels.email.channel import EmailChannel
from notification.digests import Digests
from notification.migrations import migrate
from notification.notifier import AccountEmails, Notifier
from notification.settings import Settings
from tests.servers.templates import migrate_by_template
from tests.unit.notification.post import Choices, Clock, FakeAuth, FakeMailer, UnsteadyStore
from tests.unit.notification.stories import PUBLIC_URL, SENDER


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UnsteadyStore]:
    store = UnsteadyStore(f"file://{tmp_path}/store")
    yield store
    store.close()


@pytest.fixture
def http_side(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Makes a client of the service's HTTP side, with settings beside its home."""
    with ExitStack() as stack:

        def make(**settings: Any) -> FlaskClient:
            app = create_app(Settings(home=tmp_path, **settings))
            services = provided(app, Services)
            migrate_by_template(services.database, migrate)
            for adapter in (services.broker, services.store, services.database):
                stack.callback(adapter.close)
            return app.test_client()

        yield make


@pytest.fixture
def mailer() -> FakeMailer:
    return FakeMailer()


@pytest.fixture
def choices() -> Choices:
    return Choices()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notifier(store: UnsteadyStore, mailer: FakeMailer, choices: Choices, clock: Clock) -> Notifier:
    channel = EmailChannel(mailer, SENDER, PUBLIC_URL)
    return Notifier(store, channel, choices, Digests(store, clock))


@pytest.fixture
def auth_emails() -> FakeAuth:
    return FakeAuth()


@pytest.fixture
def account_emails(auth_emails: FakeAuth, mailer: FakeMailer) -> AccountEmails:
    return AccountEmails(auth_emails, AccountEmailSender(mailer, SENDER, PUBLIC_URL))
