"""The emails about uploads that wait right behind one go with it, and change nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from muster.broker import Ack, Retry
from muster.contracts.uploads import Digest, EmailState, State, Upload
from muster.database import DatabaseUnavailable
from notification.channels.email.channel import EmailChannel
from notification.channels.email.mailer import MailError
from notification.consumer import Handler
from notification.digests import Digests
from notification.notifier import AccountEmails, EarlyEmails, EmailOutcome, Notifier
from tests.faults.ports import ANSWER, met_uploads
from tests.unit.notification import stories
from tests.unit.notification.post import Choices, Clock, FakeMailer, UnsteadyStore
from tests.unit.notification.test_notification_verdicts import finished


class Doors:
    """Notes whose webhooks are entered; may be away."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.away = False

    def __call__(self, uploads: Sequence[Upload]) -> None:
        if self.away:
            raise DatabaseUnavailable
        self.entered += [upload.id for upload in uploads]


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def handler(
    store: UnsteadyStore, notifier: Notifier, account_emails: AccountEmails, doors: Doors
) -> Handler:
    return Handler(store, notifier, account_emails, doors)


def accept(store: UnsteadyStore, count: int, **changes: object) -> list[str]:
    upload = replace(stories.COMPLETED, **changes)  # type: ignore[arg-type]
    return [store.accept(replace(upload, id=f"{upload.id}-{n}")).id for n in range(count)]


def states(store: UnsteadyStore, names: Sequence[str]) -> list[EmailState | None]:
    emails = [store.get(name).email for name in names]
    return [None if email is None else email.state for email in emails]


def test_those_behind_are_told_with_one_change_of_the_records(
    store: UnsteadyStore, mailer: FakeMailer, account_emails: AccountEmails, doors: Doors
) -> None:
    calls: list[str] = []
    met = met_uploads(store, calls.append)
    channel = EmailChannel(mailer, stories.SENDER, stories.PUBLIC_URL)
    handler = Handler(met, Notifier(met, channel, Choices(), Digests(met)), account_emails, doors)
    names = accept(store, 20)
    assert [handler(finished(name)) for name in names] == [Ack()] * 20
    assert len(mailer.sent) == len({str(each["Message-ID"]) for each in mailer.sent}) == 20
    assert states(store, names) == [EmailState.SENT] * 20
    assert doors.entered == names
    made = [call.partition(".")[2] for call in calls if not call.endswith(ANSWER)]
    assert made == ["get", "update", "following", "update_each"] * 2


def test_each_names_its_own_request(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler
) -> None:
    first, second = accept(store, 1) + accept(store, 1, id="other", request_id="another-request")
    handler(finished(first))
    assert states(store, [second]) == [EmailState.SENT]
    assert mailer.sent[1]["X-Request-Id"] == "another-request"


def test_a_message_of_one_that_was_told_reads_nothing(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler
) -> None:
    names = accept(store, 3)
    handler(finished(names[0]))
    store.away = {"get", "update"}
    assert [handler(finished(name)) for name in names[1:]] == [Ack(), Ack()]
    # It is known once: then the record says it.
    assert handler(finished(names[1])) == Retry(after=1)
    store.away = set()
    assert handler(finished(names[1])) == Ack()
    assert len(mailer.sent) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.LOADING},
        {"kind": "erasure"},
        {"digest": Digest("leader")},
    ],
    ids=["not final", "an erasure", "in a digest"],
)
def test_what_takes_more_than_an_email_is_left_to_its_message(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler, changes: dict[str, object]
) -> None:
    first, other = accept(store, 1) + accept(store, 1, id="other", **changes)
    assert handler(finished(first)) == Ack()
    assert states(store, [first, other]) == [EmailState.SENT, None]
    assert len(mailer.sent) == 1


def test_what_its_reader_has_chosen_holds(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler, choices: Choices
) -> None:
    choices.made = {"none": "none", "digest": "digest"}
    names = accept(store, 1) + [
        name for owner in ("none", "digest") for name in accept(store, 1, id=owner, owner=owner)
    ]
    handler(finished(names[0]))
    assert states(store, names) == [EmailState.SENT, EmailState.UNWANTED, None]
    assert len(mailer.sent) == 1


def test_mail_that_is_not_taken_waits_for_its_message(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier
) -> None:
    uploads = [store.get(name) for name in accept(store, 3)]
    mailer.error = MailError("greylisted", permanent=False)
    assert notifier.notify_early(uploads) == {}
    assert states(store, [each.id for each in uploads]) == [None] * 3


def test_what_was_sent_before_one_failed_is_recorded(
    store: UnsteadyStore, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, mailer: FakeMailer
) -> None:
    uploads = [store.get(name) for name in accept(store, 3)]
    sent = mailer.send

    def fails_then(message: object) -> None:
        if mailer.sent:
            raise MailError("the connection failed", permanent=False)
        sent(message)  # type: ignore[arg-type]

    monkeypatch.setattr(mailer, "send", fails_then)
    assert notifier.notify_early(uploads) == {uploads[0].id: EmailOutcome.SENT}
    assert states(store, [each.id for each in uploads]) == [EmailState.SENT, None, None]


def test_no_more_are_sent_than_there_is_time_for(store: UnsteadyStore, mailer: FakeMailer) -> None:
    clock = Clock()

    class Slow(FakeMailer):
        def send(self, message: object) -> None:
            clock.now += 0.2
            super().send(message)  # type: ignore[arg-type]

    channel = EmailChannel(Slow(), stories.SENDER, stories.PUBLIC_URL)
    notifier = Notifier(store, channel, Choices(), Digests(store), clock)
    uploads = [store.get(name) for name in accept(store, 9)]
    assert len(notifier.notify_early(uploads)) == 3


def test_an_email_that_could_not_be_recorded_is_sent_again_as_the_same_message(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler
) -> None:
    names = accept(store, 2)
    store.away = {"update_each"}
    assert handler(finished(names[0])) == Ack()
    assert states(store, names) == [EmailState.SENT, None]
    store.away = set()
    assert handler(finished(names[1])) == Ack()
    assert states(store, names) == [EmailState.SENT] * 2
    identifiers = [str(each["Message-ID"]) for each in mailer.sent]
    assert len(identifiers) == 3
    assert identifiers[1] == identifiers[2]


def test_webhooks_that_cannot_be_entered_early_are_by_the_message(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler, doors: Doors, notifier: Notifier
) -> None:
    names = accept(store, 2)
    doors.away = True
    EarlyEmails(store, notifier, doors).tell_behind(store.get(names[0]))
    assert mailer.sent == []
    doors.away = False
    assert [handler(finished(name)) for name in names] == [Ack(), Ack()]
    assert doors.entered == names


def test_after_a_message_that_comes_again_each_is_told_by_its_own(
    store: UnsteadyStore, mailer: FakeMailer, handler: Handler
) -> None:
    names = accept(store, 40)
    told = []
    for attempt, name in zip([2] + [1] * 39, names, strict=True):
        handler(finished(name, attempt))
        told.append(len(mailer.sent))
    # As many as whoever died may have had in hand.
    assert told[:16] == [*range(1, 16), 31]
