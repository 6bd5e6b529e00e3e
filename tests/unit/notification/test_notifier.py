"""Each upload that is final is told once, and the record says so."""

from dataclasses import replace

import pytest

from muster.contracts.uploads import Email, EmailState, State, Upload
from muster.weather import StoreUnavailable
from notification.channels.email.mailer import MailError
from notification.notifier import EmailOutcome, NotFinal, Notifier
from tests.unit.notification import stories
from tests.unit.notification.post import FakeMailer, UnsteadyStore


def accept(store: UnsteadyStore, upload: Upload = stories.WITH_REJECTS) -> str:
    return store.accept(upload).id


def email_of(store: UnsteadyStore, upload_id: str) -> Email:
    email = store.get(upload_id).email
    assert email is not None
    return email


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_final_upload_is_told_and_marked(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, state: State
) -> None:
    upload_id = accept(store, replace(stories.COMPLETED, state=state))
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.SENT
    assert [str(message["To"]) for message in mailer.sent] == ["ana@example.com"]
    email = email_of(store, upload_id)
    assert (email.state, email.reason) == (EmailState.SENT, None)
    assert store.get(upload_id).state is state


def test_a_second_message_sends_nothing(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    notifier.notify(store.get(upload_id))
    marked = store.get(upload_id)
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.REPEATED
    assert len(mailer.sent) == 1
    assert store.get(upload_id) == marked


def test_an_email_that_could_not_be_marked_is_sent_again_as_the_same_message(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    store.away = {"update"}
    with pytest.raises(StoreUnavailable):
        notifier.notify(store.get(upload_id))
    store.away = set()
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.SENT
    first, second = (message["Message-ID"] for message in mailer.sent)
    assert first == second


def test_mail_that_is_not_taken_for_now_waits_and_says_why(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("greylisted", permanent=False)
    with pytest.raises(MailError):
        notifier.notify(store.get(upload_id))
    email = email_of(store, upload_id)
    assert (email.state, email.reason) == (EmailState.WAITING, "greylisted")
    mailer.error = None
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.SENT
    assert email_of(store, upload_id).state is EmailState.SENT


def test_waiting_for_the_same_reason_is_not_written_again(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    versions = []
    for reason in ("greylisted", "greylisted", "no connection"):
        mailer.error = MailError(reason, permanent=False)
        with pytest.raises(MailError):
            notifier.notify(store.get(upload_id))
        versions.append(store.get(upload_id).version)
    assert versions[0] == versions[1] < versions[2]


def test_mail_not_taken_on_the_last_try_is_given_up_until_it_is_replayed(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("greylisted", permanent=False)
    with pytest.raises(MailError):
        notifier.notify(store.get(upload_id), is_last_try=True)
    email = email_of(store, upload_id)
    assert (email.state, email.reason) == (EmailState.GIVEN_UP, "greylisted")
    mailer.error = None
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.SENT
    assert email_of(store, upload_id).state is EmailState.SENT


def test_mail_that_never_will_be_taken_ends_with_the_reason_on_the_upload(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("recipient refused: 550 no such user", permanent=True)
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.REFUSED
    email = email_of(store, upload_id)
    assert (email.state, email.reason) == (EmailState.REFUSED, str(mailer.error))
    mailer.error = None
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.REPEATED
    assert mailer.sent == []


def test_a_reason_is_kept_printable_and_short(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("550 \x1b[2J\ud800" + "x" * 9999, permanent=True)
    notifier.notify(store.get(upload_id))
    reason = email_of(store, upload_id).reason
    assert reason is not None
    assert reason.isprintable()
    assert len(reason) == 400


def test_somebody_without_an_address_is_not_tried_for_ever(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store, replace(stories.COMPLETED, submitted_by="ana\r\nBcc: eva@x"))
    assert notifier.notify(store.get(upload_id)) is EmailOutcome.REFUSED
    assert mailer.sent == []
    assert "is not an email address" in (email_of(store, upload_id).reason or "")


def test_an_upload_that_is_not_final_is_not_told(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    with pytest.raises(NotFinal):
        notifier.notify(store.get(accept(store, replace(stories.COMPLETED, state=State.LOADING))))
    assert mailer.sent == []
