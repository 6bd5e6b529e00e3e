"""Which emails a user wants: asked of auth, and obeyed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from muster.broker import Ack, Retry
from muster.contracts.emails import EmailChoice
from muster.contracts.uploads import EmailState, RowCounts, State, UndoCounts, Upload
from notification.accounts.auth_client import AuthUnavailable
from notification.accounts.choices import AuthChoices, is_wanted
from notification.consumer import Handler
from notification.digests import WINDOW_SECONDS
from notification.notifier import AccountEmails, EmailOutcome, Notifier
from tests.unit.gateway.behind import Behind, serve_behind
from tests.unit.notification import stories
from tests.unit.notification.post import Choices, FakeMailer, UnsteadyStore
from tests.unit.notification.test_notification_verdicts import counted, finished


@pytest.fixture
def handler(store: UnsteadyStore, notifier: Notifier, account_emails: AccountEmails) -> Handler:
    return Handler(store, notifier, account_emails, lambda _uploads: None)


@pytest.fixture
def auth() -> Iterator[Behind]:
    with serve_behind() as behind:
        yield behind


def test_auth_is_asked_for_the_choice_of_a_user(auth: Behind) -> None:
    auth.answers["GET /v1/email-choices/a%2F..%2Fb"] = (200, {"emails": "digest"})
    assert AuthChoices(auth.url).of("a/../b") == "digest"


def test_an_answer_holds_for_two_seconds(auth: Behind) -> None:
    at = [0.0]
    choices = AuthChoices(auth.url, lambda: at[0])
    auth.answers["GET /v1/email-choices/1"] = (200, {"emails": "digest"})
    assert choices.of("1") == "digest"
    auth.answers["GET /v1/email-choices/1"] = (200, {"emails": "none"})
    at[0] = 1.9
    assert choices.of("1") == "digest"
    at[0] = 2.1
    assert choices.of("1") == "none"


def test_an_auth_without_choices_means_each(auth: Behind) -> None:
    auth.status = 404
    assert AuthChoices(auth.url).of("1") == "each"


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b'{"emails": "none"}'), (200, b""), (200, b"[]"), (200, b'{"emails": "some"}')],
)
def test_without_an_answer_nobody_guesses(auth: Behind, status: int, body: bytes) -> None:
    auth.status, auth.body = status, body
    with pytest.raises(AuthUnavailable):
        AuthChoices(auth.url).of("1")


def test_where_nobody_listens_the_choice_is_unknown() -> None:
    with pytest.raises(AuthUnavailable):
        AuthChoices("http://127.0.0.1:1").of("1")


@pytest.mark.parametrize(
    ("upload", "wanted"),
    [
        (stories.COMPLETED, False),
        (stories.WITH_WARNINGS, False),
        (stories.WITH_REJECTS, True),
        (stories.FAILED, True),
        (stories.DRY_RUN, True),
        (replace(stories.DRY_RUN, rows=RowCounts(read=1, inserted=1)), False),
        (replace(stories.WITH_REJECTS, state=State.CANCELLED), False),
        (stories.UNDONE, False),
        (stories.UNDONE_IN_PART, True),
        (replace(stories.UNDO_TRIED, undone=UndoCounts(written=1, blocked=1)), True),
        (stories.UNDO_FAILED, True),
        (stories.UNDO_CANCELLED, False),
        (replace(stories.COMPLETED, kind="erasure", erases=1), False),
    ],
)
def test_problems_are_what_somebody_must_look_at(upload: Upload, wanted: bool) -> None:
    assert is_wanted(upload, "problems") is wanted
    assert is_wanted(upload, "each")
    assert is_wanted(upload, "digest")
    assert not is_wanted(upload, "none")


@pytest.mark.parametrize(
    ("choice", "upload", "outcome"),
    [
        ("none", stories.FAILED, EmailOutcome.UNWANTED),
        ("problems", stories.COMPLETED, EmailOutcome.UNWANTED),
        ("problems", stories.FAILED, EmailOutcome.SENT),
        ("each", stories.COMPLETED, EmailOutcome.SENT),
    ],
)
def test_only_what_is_wanted_is_sent_and_the_upload_says_so(
    store: UnsteadyStore,
    mailer: FakeMailer,
    notifier: Notifier,
    choices: Choices,
    choice: EmailChoice,
    upload: Upload,
    outcome: EmailOutcome,
) -> None:
    upload = store.accept(upload)
    choices.made[upload.owner] = choice
    assert notifier.notify(store.get(upload.id)) is outcome
    assert len(mailer.sent) == (outcome is EmailOutcome.SENT)
    email = store.get(upload.id).email
    assert email is not None
    assert email.state is EmailState(outcome.value)
    choices.made.clear()
    assert notifier.notify(store.get(upload.id)) is EmailOutcome.REPEATED


def test_an_email_waits_for_auth_as_long_as_it_takes(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler, choices: Choices
) -> None:
    upload = store.accept(stories.WITH_REJECTS)
    choices.away = True
    assert handler(finished(upload.id)) == Retry(after=1)
    assert handler(finished(upload.id, 100_000)) == Retry(after=300)
    assert mailer.sent == []
    choices.away = False
    assert handler(finished(upload.id)) == Ack()
    assert len(mailer.sent) == 1


def test_an_upload_that_waits_for_its_digest_comes_again_at_its_end(
    store: UnsteadyStore, handler: Handler, choices: Choices
) -> None:
    upload = store.accept(stories.WITH_REJECTS)
    choices.made[upload.owner] = "digest"
    before = counted("gathered")
    assert handler(finished(upload.id)) == Retry(after=WINDOW_SECONDS)
    assert counted("gathered") == before + 1
