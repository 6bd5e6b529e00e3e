"""Each upload that is final is told once, and the record says so."""

from dataclasses import replace

import pytest

from muster.csvstore import StoreUnavailable, UploadNotFound
from muster.mail import MailError
from muster.uploads import State, Upload
from notification.notifying import NotFinal, Notifier, Outcome
from tests.unit.notification import stories
from tests.unit.notification.post import FakeMailer, UnsteadyStore


def accept(store: UnsteadyStore, upload: Upload = stories.WITH_REJECTS) -> str:
    return store.accept(upload).id


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_final_upload_is_told_and_marked(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, state: State
) -> None:
    upload_id = accept(store, replace(stories.COMPLETED, state=state))
    assert notifier.notify(upload_id) is Outcome.SENT
    assert [str(message["To"]) for message in mailer.sent] == ["ana@example.com"]
    upload = store.get(upload_id)
    assert upload.notified_at is not None
    assert upload.state is state


def test_a_second_message_sends_nothing(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    notifier.notify(upload_id)
    marked = store.get(upload_id)
    assert notifier.notify(upload_id) is Outcome.ALREADY_SENT
    assert len(mailer.sent) == 1
    assert store.get(upload_id) == marked


def test_an_email_that_could_not_be_marked_is_sent_again_as_the_same_message(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    store.away = {"update"}
    with pytest.raises(StoreUnavailable):
        notifier.notify(upload_id)
    store.away = set()
    assert notifier.notify(upload_id) is Outcome.SENT
    first, second = (message["Message-ID"] for message in mailer.sent)
    assert first == second


def test_mail_that_is_not_taken_for_now_leaves_the_upload_unmarked(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("greylisted", permanent=False)
    with pytest.raises(MailError):
        notifier.notify(upload_id)
    assert store.get(upload_id).notified_at is None


def test_mail_that_never_will_be_taken_ends(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store)
    mailer.error = MailError("no such user", permanent=True)
    assert notifier.notify(upload_id) is Outcome.REFUSED
    assert store.get(upload_id).notified_at is not None


def test_somebody_without_an_address_is_not_tried_for_ever(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    upload_id = accept(store, replace(stories.COMPLETED, submitted_by="ana\r\nBcc: eva@x"))
    assert notifier.notify(upload_id) is Outcome.REFUSED
    assert mailer.sent == []


def test_an_upload_that_is_not_final_is_not_told(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    with pytest.raises(NotFinal):
        notifier.notify(accept(store, replace(stories.COMPLETED, state=State.LOADING)))
    assert mailer.sent == []


def test_an_upload_without_a_record_is_an_error(notifier: Notifier) -> None:
    with pytest.raises(UploadNotFound):
        notifier.notify("0" * 32)
