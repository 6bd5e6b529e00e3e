"""Emails with one-time links: fetched from auth, composed, sent."""

from dataclasses import replace
from email.message import EmailMessage

import pytest
from pydantic import SecretStr

from muster.broker import Ack, DeadLetter, Delivery, Retry
from muster.contracts.links import LinkEmail
from muster.contracts.messages import EmailRequested
from notification.accounts.auth_client import AuthUnavailable
from notification.accounts.links import AuthEmails
from notification.channels.email.mailer import MailError
from notification.consumer import Handler
from notification.notifier import AccountEmails, Notifier
from tests.unit.gateway.behind import Behind, serve_behind
from tests.unit.notification import stories
from tests.unit.notification.post import FakeAuth, FakeMailer, UnsteadyStore
from tests.unit.notification.stories import PUBLIC_URL

RESET = LinkEmail(
    kind="password-reset",
    to="ana@example.com",
    token="Zm9vYmFy-_",
    requested_at="2026-11-28T10:00:00Z",
    expires_at="2026-11-29T10:00:00Z",
)
INVITATION = replace(RESET, kind="invitation", invited_by="admin@example.com")


@pytest.fixture
def handler(store: UnsteadyStore, notifier: Notifier, account_emails: AccountEmails) -> Handler:
    return Handler(store, notifier, account_emails, lambda _uploads: None)


def requested(id: str = "e1", attempt: int = 1) -> Delivery:
    message = EmailRequested(id, "2026-11-28T10:00:00Z")
    return Delivery(message.routing_key, message.to_body(), stories.TRACE.headers(), attempt)


def parts_of(message: EmailMessage) -> tuple[str, str]:
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


@pytest.mark.parametrize(
    ("email", "page", "said"),
    [
        (RESET, "new-password", "do nothing: your password stays as it is"),
        (INVITATION, "invitation", "admin@example.com invites you"),
    ],
)
def test_the_link_stands_in_the_email_with_its_token_in_the_fragment(
    handler: Handler,
    auth_emails: FakeAuth,
    mailer: FakeMailer,
    email: LinkEmail,
    page: str,
    said: str,
) -> None:
    auth_emails.emails["e1"] = email
    assert handler(requested()) == Ack()
    (message,) = mailer.sent
    assert message["To"] == "ana@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Request-Id"] == stories.TRACE.request_id
    for part in parts_of(message):
        assert f"{PUBLIC_URL}/{page}#Zm9vYmFy-_" in part
        assert said in part
        assert "29 November 2026, 10:00 UTC" in part
    assert "Zm9vYmFy" not in str(message.items())


def test_a_repeat_is_recognisable(
    handler: Handler, auth_emails: FakeAuth, mailer: FakeMailer
) -> None:
    auth_emails.emails["e1"] = RESET
    handler(requested())
    auth_emails.emails["e1"] = replace(RESET, token="another")
    handler(requested())
    first, second = mailer.sent
    assert first["Message-ID"] == second["Message-ID"]


def test_where_there_is_nothing_to_send_any_more_the_message_is_done(
    handler: Handler, mailer: FakeMailer
) -> None:
    assert handler(requested()) == Ack()
    assert mailer.sent == []


def test_auth_that_is_away_is_waited_for_without_end(
    handler: Handler, auth_emails: FakeAuth
) -> None:
    auth_emails.away = True
    assert handler(requested()) == Retry(after=1)
    assert handler(requested(attempt=100_000)) == Retry(after=300)


@pytest.mark.parametrize(("permanent", "verdict"), [(True, Ack()), (False, Retry(after=1))])
def test_what_the_mail_server_says_is_heard(
    handler: Handler,
    auth_emails: FakeAuth,
    mailer: FakeMailer,
    permanent: bool,
    verdict: Ack | Retry,
) -> None:
    auth_emails.emails["e1"] = RESET
    mailer.error = MailError("no", permanent=permanent)
    assert handler(requested()) == verdict


def test_an_unreadable_message_is_a_dead_letter(handler: Handler) -> None:
    assert isinstance(handler(Delivery("email.requested", b"{}")), DeadLetter)


@pytest.mark.parametrize(
    ("status", "answer", "fetched"),
    [
        (200, vars(RESET), RESET),
        (404, {}, None),
        (401, {}, AuthUnavailable),
        (503, {}, AuthUnavailable),
        (302, {}, AuthUnavailable),
        (200, {"kind": "surprise"}, AuthUnavailable),
        (200, None, AuthUnavailable),
    ],
)
def test_what_auth_answers_is_understood(status: int, answer: object, fetched: object) -> None:
    with serve_behind() as auth:
        auth.answers["POST /internal/emails/e1"] = (status, answer)
        fetch = AuthEmails(auth.url, SecretStr("secret"))
        if fetched is AuthUnavailable:
            with pytest.raises(AuthUnavailable) as refusal:
                fetch("e1")
            assert "secret" not in str(refusal.value)
        else:
            assert fetch("e1") == fetched
        assert shown(auth) == ["Bearer secret"]


def shown(auth: Behind) -> list[str]:
    return [headers["Authorization"] for _, _, headers, _ in auth.asked]


def test_without_the_secret_nothing_is_asked() -> None:
    with pytest.raises(AuthUnavailable, match="MUSTER_EMAIL_SECRET"):
        AuthEmails("http://127.0.0.1:1", None)("e1")
