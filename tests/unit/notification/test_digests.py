"""Digests: the uploads of a minute in one email, none of which a kill loses."""

from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from muster.contracts.uploads import UNFINISHED, EmailState, State
from notification.accounts.choices import EmailChoices
from notification.channels.email.channel import EmailChannel
from notification.channels.email.mailer import MailError
from notification.digests import WINDOW_SECONDS, DigestNotDue, Digests
from notification.notifier import EmailOutcome, Notifier
from tests.unit.notification import stories
from tests.unit.notification.post import Choices, Clock, FakeMailer, UnsteadyStore
from tests.unit.notification.stories import PUBLIC_URL, SENDER, body

FINAL = frozenset(State) - UNFINISHED


@pytest.fixture(autouse=True)
def _everybody_wants_a_digest(choices: Choices) -> None:
    choices.made[stories.COMPLETED.owner] = "digest"


def accept(store: UnsteadyStore, number: int, **fields: Any) -> str:
    return store.accept(replace(stories.COMPLETED, id=f"u{number}", **fields)).id


def wait(notifier: Notifier, store: UnsteadyStore, upload_id: str) -> float:
    with pytest.raises(DigestNotDue) as due:
        notifier.notify(store.get(upload_id))
    return due.value.seconds


def told(message: EmailMessage) -> set[str]:
    """The uploads that the email leads to."""
    lines = body(message, "plain").splitlines()
    return {line.rpartition("/")[2] for line in lines if "/uploads/" in line}


def test_the_uploads_of_a_minute_come_in_one_email(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, clock: Clock
) -> None:
    uploads = [accept(store, number) for number in range(3)]
    assert wait(notifier, store, uploads[0]) == WINDOW_SECONDS
    clock.now += 20
    assert [wait(notifier, store, upload) for upload in uploads[1:]] == [40, 40]
    assert mailer.sent == []
    clock.now += 40
    outcomes = [notifier.notify(store.get(upload)) for upload in uploads]
    assert outcomes == [EmailOutcome.SENT, EmailOutcome.REPEATED, EmailOutcome.REPEATED]
    (message,) = mailer.sent
    assert message["Message-ID"] == "<digest-u0@example.org>"
    assert told(message) == set(uploads)
    for upload in uploads:
        email = store.get(upload).email
        assert email is not None
        assert email.state is EmailState.SENT


def test_an_upload_alone_gets_the_email_about_it(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, clock: Clock
) -> None:
    upload = accept(store, 1)
    wait(notifier, store, upload)
    clock.now += WINDOW_SECONDS
    assert notifier.notify(store.get(upload)) is EmailOutcome.SENT
    assert [message["Message-ID"] for message in mailer.sent] == [
        "<upload-u1.completed@example.org>"
    ]


def test_users_do_not_share_a_digest(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, choices: Choices, clock: Clock
) -> None:
    choices.made["2"] = "digest"
    for number in range(4):
        other = {"owner": "2", "submitted_by": "eva@example.com"} if number % 2 else {}
        wait(notifier, store, accept(store, number, **other))
    clock.now += WINDOW_SECONDS
    for number in range(4):
        notifier.notify(store.get(f"u{number}"))
    assert {str(message["To"]): told(message) for message in mailer.sent} == {
        "ana@example.com": {"u0", "u2"},
        "eva@example.com": {"u1", "u3"},
    }


def test_a_full_digest_is_sent_at_once(
    store: UnsteadyStore,
    mailer: FakeMailer,
    notifier: Notifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notification.digests.MOST_UPLOADS", 3)
    for number in range(2):
        wait(notifier, store, accept(store, number))
    assert notifier.notify(store.get(accept(store, 2))) is EmailOutcome.SENT
    assert told(mailer.sent[0]) == {"u0", "u1", "u2"}
    outcomes = [notifier.notify(store.get(f"u{number}")) for number in range(2)]
    assert outcomes == [EmailOutcome.REPEATED] * 2


def test_a_digest_that_is_not_taken_for_now_is_sent_later_as_it_was(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, clock: Clock
) -> None:
    for number in range(3):
        wait(notifier, store, accept(store, number))
    clock.now += WINDOW_SECONDS
    mailer.error = MailError("greylisted", permanent=False)
    for number in range(3):
        with pytest.raises(MailError):
            notifier.notify(store.get(f"u{number}"))
    late = accept(store, 3)
    wait(notifier, store, late)
    mailer.error = None
    assert notifier.notify(store.get("u2")) is EmailOutcome.SENT
    assert [told(message) for message in mailer.sent] == [{"u0", "u1", "u2"}]
    clock.now += WINDOW_SECONDS
    assert notifier.notify(store.get(late)) is EmailOutcome.SENT
    assert told(mailer.sent[1]) == {"u3"}


def test_a_digest_that_never_will_be_taken_is_refused_for_all(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, clock: Clock
) -> None:
    for number in range(2):
        wait(notifier, store, accept(store, number))
    clock.now += WINDOW_SECONDS
    mailer.error = MailError("550 no such user", permanent=True)
    assert notifier.notify(store.get("u0")) is EmailOutcome.REFUSED
    assert notifier.notify(store.get("u1")) is EmailOutcome.REPEATED
    email = store.get("u1").email
    assert email is not None
    assert (email.state, email.reason) == (EmailState.REFUSED, "550 no such user")


def test_whoever_then_wants_each_gets_each(
    store: UnsteadyStore, mailer: FakeMailer, notifier: Notifier, choices: Choices, clock: Clock
) -> None:
    for number in range(3):
        wait(notifier, store, accept(store, number))
    clock.now += WINDOW_SECONDS
    mailer.error = MailError("greylisted", permanent=False)
    with pytest.raises(MailError):
        notifier.notify(store.get("u0"))
    choices.made.clear()
    mailer.error = None
    for number in range(3):
        assert notifier.notify(store.get(f"u{number}")) is EmailOutcome.SENT
    assert [told(message) for message in mailer.sent] == [{"u0"}, {"u1"}, {"u2"}]


class Killed(BaseException):
    """The process ends here."""


class MortalStore(UnsteadyStore):
    """A store in a process that is killed at a call of its, before it or after it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.left: int | None = None

    def meet(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def _around(self, call: Callable[[], Any]) -> Any:
        self.meet()
        result = call()
        self.meet()
        return result

    def get(self, *arguments: Any) -> Any:
        return self._around(lambda: super(MortalStore, self).get(*arguments))

    def update(self, *arguments: Any, **changes: Any) -> Any:
        return self._around(lambda: super(MortalStore, self).update(*arguments, **changes))

    def update_each(self, *arguments: Any, **options: Any) -> Any:
        return self._around(lambda: super(MortalStore, self).update_each(*arguments, **options))


class MortalMailer(FakeMailer):
    """A mailer in the same process."""

    def __init__(self, store: MortalStore) -> None:
        super().__init__()
        self._store = store

    def send(self, message: EmailMessage) -> None:
        self._store.meet()
        super().send(message)
        self._store.meet()


def run(store: MortalStore, mailer: FakeMailer, choices: EmailChoices, waiting: list[str]) -> None:
    """Deliver what waits, as a broker does, to one process until it is killed or all is settled."""
    clock = Clock()
    channel = EmailChannel(mailer, SENDER, PUBLIC_URL)
    notifier = Notifier(store, channel, choices, Digests(store, clock))
    while waiting:
        try:
            notifier.notify(store.get(waiting[0]))
        except DigestNotDue:
            clock.now += WINDOW_SECONDS / 4
            waiting.append(waiting.pop(0))
        else:
            del waiting[0]


def test_a_kill_at_any_point_loses_no_email_and_repeats_the_same_one(
    tmp_path: Any, choices: Choices
) -> None:
    kills = 0
    store = MortalStore(f"file://{tmp_path}/store")
    while True:
        mailer = MortalMailer(store)
        names = [accept(store, 3 * kills + number) for number in range(3)]
        waiting = [*names]
        store.left = kills
        try:
            run(store, mailer, choices, waiting)
        except Killed:
            kills += 1
        else:
            break
        store.left = None
        # A message whose handler was killed comes first or, put off before, in any order.
        waiting = waiting[kills % len(waiting) :] + waiting[: kills % len(waiting)]
        run(store, mailer, choices, waiting)
        emails = [store.get(name).email for name in names]
        assert {email and email.state for email in emails} == {EmailState.SENT}
        by_id: dict[str, set[str]] = {}
        for message in mailer.sent:
            found = by_id.setdefault(str(message["Message-ID"]), told(message))
            assert found == told(message)
        assert sorted(name for each in by_id.values() for name in each) == sorted(names)
        assert len(mailer.sent) <= len(by_id) + 1
    store.close()
    assert kills > 15
