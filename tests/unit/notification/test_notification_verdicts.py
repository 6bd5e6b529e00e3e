"""What the consumer answers the broker."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from muster.broker import Ack, DeadLetter, Delivery, Retry
from muster.contracts.messages import UploadFinished
from muster.contracts.uploads import EmailState, State, Upload
from muster.database import DatabaseUnavailable
from notification.channels.email.channel import EmailChannel
from notification.channels.email.mailer import MailError
from notification.consumer import RETRIES, Handler
from notification.digests import Digests
from notification.notifier import AccountEmails, Notifier
from tests.contract.rawrecords import set_raw
from tests.faults.ports import ANSWER, met_uploads
from tests.unit.muster.test_strict_json import HOSTILE
from tests.unit.notification import stories
from tests.unit.notification.post import Choices, FakeMailer, UnsteadyStore

TEMPORARY = MailError("greylisted", permanent=False)


@pytest.fixture
def handler(store: UnsteadyStore, notifier: Notifier, account_emails: AccountEmails) -> Handler:
    return Handler(store, notifier, account_emails, lambda _uploads: None)


@pytest.fixture
def upload_id(store: UnsteadyStore) -> str:
    return store.accept(stories.WITH_REJECTS).id


def finished(upload_id: str, attempt: int = 1) -> Delivery:
    message = UploadFinished(upload_id, "jobs", "completed", "ana@example.com", "2021-11-07")
    return Delivery(message.routing_key, message.to_body(), stories.TRACE.headers(), attempt)


def email_state(store: UnsteadyStore, upload_id: str) -> EmailState | None:
    email = store.get(upload_id).email
    return None if email is None else email.state


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("muster_mails_total", {"outcome": outcome}) or 0


def test_an_email_sent_is_acknowledged_and_counted(handler: Handler, upload_id: str) -> None:
    before = counted("sent")
    assert handler(finished(upload_id)) == Ack()
    assert counted("sent") == before + 1


def test_a_mistake_of_ours_waits_as_a_busy_mail_server_does(
    handler: Handler, upload_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake in the email")

    monkeypatch.setattr("notification.channels.email.channel.compose", broken)

    assert isinstance(handler(finished(upload_id)), Retry)
    last = next(attempt for attempt in range(1, 10_000) if not RETRIES.allows_another(attempt))
    assert isinstance(handler(finished(upload_id, last)), DeadLetter)


def test_a_redelivery_is_acknowledged(handler: Handler, upload_id: str, mailer: FakeMailer) -> None:
    assert [handler(finished(upload_id)) for _ in range(2)] == [Ack(), Ack()]
    assert len(mailer.sent) == 1


def test_a_refused_email_is_acknowledged(
    handler: Handler, upload_id: str, mailer: FakeMailer
) -> None:
    mailer.error = MailError("no such user", permanent=True)
    assert handler(finished(upload_id)) == Ack()


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (5, 16), (10, 300), (800, 300)])
def test_mail_not_taken_for_now_waits_longer_each_time(
    handler: Handler, upload_id: str, mailer: FakeMailer, attempt: int, seconds: float
) -> None:
    mailer.error = TEMPORARY
    assert handler(finished(upload_id, attempt)) == Retry(after=seconds)


def test_after_three_days_it_is_a_dead_letter_and_the_upload_says_so(
    handler: Handler, upload_id: str, mailer: FakeMailer, store: UnsteadyStore
) -> None:
    mailer.error = TEMPORARY
    last = next(attempt for attempt in range(1, 2000) if not RETRIES.allows_another(attempt))
    waited = sum((RETRIES.wait_after(attempt) for attempt in range(1, last)), timedelta())
    assert timedelta(days=3) <= waited < timedelta(days=3, minutes=5)
    assert isinstance(handler(finished(upload_id, last - 1)), Retry)
    assert email_state(store, upload_id) is EmailState.WAITING
    verdict = handler(finished(upload_id, last))
    assert isinstance(verdict, DeadLetter)
    assert "greylisted" in verdict.reason
    assert email_state(store, upload_id) is EmailState.GIVEN_UP


@pytest.mark.parametrize("call", ["get", "update"])
def test_a_store_that_is_away_is_waited_for_without_end(
    handler: Handler, upload_id: str, store: UnsteadyStore, call: str
) -> None:
    store.away = {call}
    assert handler(finished(upload_id)) == Retry(after=1)
    assert handler(finished(upload_id, 100_000)) == Retry(after=300)


def test_a_record_is_read_once_for_all_and_written_once(
    store: UnsteadyStore, upload_id: str, mailer: FakeMailer, account_emails: AccountEmails
) -> None:
    calls: list[str] = []
    met = met_uploads(store, calls.append)
    channel = EmailChannel(mailer, stories.SENDER, stories.PUBLIC_URL)
    notifier = Notifier(met, channel, Choices(), Digests(met))
    entered: list[Upload] = []
    handler = Handler(met, notifier, account_emails, entered.extend)
    assert handler(finished(upload_id)) == Ack()
    assert [each.id for each in entered] == [upload_id]
    made = [call for call in calls if not call.endswith(ANSWER)]
    assert made == ["uploads.get", "uploads.update", "uploads.following"]


def test_a_message_is_kept_until_its_webhooks_are_entered(
    store: UnsteadyStore,
    notifier: Notifier,
    account_emails: AccountEmails,
    handler: Handler,
    upload_id: str,
    mailer: FakeMailer,
) -> None:
    def away(_uploads: object) -> None:
        raise DatabaseUnavailable

    failing = Handler(store, notifier, account_emails, away)
    assert [failing(finished(upload_id)) for _ in range(2)] == [Retry(after=1)] * 2
    assert handler(finished(upload_id)) == Ack()
    # The email waited for none of it.
    assert len(mailer.sent) == 1


def test_a_message_that_came_too_early_is_put_off(handler: Handler, store: UnsteadyStore) -> None:
    early = store.accept(replace(stories.COMPLETED, state=State.LOADING))
    assert handler(finished(early.id)) == Retry(after=1)


@pytest.mark.parametrize("body", [b"{}", *HOSTILE])
def test_an_unreadable_message_is_a_dead_letter(handler: Handler, body: bytes) -> None:
    verdict = handler(Delivery("upload.finished", body))
    assert isinstance(verdict, DeadLetter)
    assert "upload.finished" in verdict.reason


def test_a_message_about_a_record_that_cannot_be_read_is_put_off(
    handler: Handler, upload_id: str, store: UnsteadyStore, tmp_path: Path, mailer: FakeMailer
) -> None:
    set_raw(f"file://{tmp_path}/store", upload_id, state="undone")
    assert handler(finished(upload_id, attempt=5)) == Retry(after=16)
    assert [record.upload_id for record in store.set_aside(9)] == [upload_id]
    set_raw(f"file://{tmp_path}/store", upload_id, state="completed_with_rejects")
    store.put_back()
    assert handler(finished(upload_id)) == Ack()
    assert len(mailer.sent) == 1


def test_a_message_about_no_upload_is_a_dead_letter(handler: Handler) -> None:
    assert isinstance(handler(finished("0" * 32)), DeadLetter)


def test_log_lines_name_the_request_the_upload_and_its_user(
    handler: Handler, upload_id: str, mailer: FakeMailer
) -> None:
    mailer.error = TEMPORARY
    with capture_logs(processors=[merge_contextvars]) as logs:
        handler(finished(upload_id))
    (line,) = logs
    assert line["event"] == "email put off"
    assert line["request_id"] == stories.TRACE.request_id
    assert (line["upload_id"], line["user"]) == (upload_id, stories.WITH_REJECTS.owner)
