"""Emails about uploads that may have held an erased row are removed from the maildir."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muster.contracts.uploads import UNFINISHED, FilesRemoved, State, Upload
from notification.channels.email.channel import EmailChannel
from notification.channels.email.maildir import MaildirMailer
from notification.channels.email.mailer import MailError, open_mailer
from notification.digests import Digests
from notification.notifier import EmailOutcome, Notifier
from tests.unit.notification import stories
from tests.unit.notification.post import Choices, FakeMailer, UnsteadyStore

FINAL = frozenset(State) - UNFINISHED
ERASURE = replace(
    stories.COMPLETED, id="e-1", kind="erasure", erases=7, table="jobs", filename="jobs 7"
)


def final(store: UnsteadyStore, upload: Upload, erased_by: str | None = None) -> str:
    store.accept(upload)
    if erased_by is not None:
        removed = FilesRemoved("erased", datetime(2026, 2, 1, tzinfo=UTC), erased_by)
        store.drop_contents({upload.id: {"files_removed": removed}}, expect=FINAL)
    return upload.id


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def notifier(store: UnsteadyStore, maildir: Path) -> Notifier:
    mailer = open_mailer(f"maildir://{maildir}")
    channel = EmailChannel(mailer, stories.SENDER, stories.PUBLIC_URL)
    return Notifier(store, channel, Choices(), Digests(store))


def mails(maildir: Path) -> str:
    files = [each for each in maildir.rglob("*") if each.is_file()]
    return "\n".join(each.read_text() for each in files)


def test_those_whose_files_the_erasure_removed_go_and_others_stay(
    store: UnsteadyStore, notifier: Notifier, maildir: Path
) -> None:
    for number in range(3):
        upload = replace(stories.WITH_REJECTS, id=f"u-{number}")
        notifier.notify(store.get(final(store, upload, "e-1" if number != 1 else None)))
    for mail in (maildir / "new").iterdir():
        if "u-2" in mail.read_text():
            mail.rename(maildir / "cur" / f"{mail.name}:2,S")
    assert all(f"u-{number}" in mails(maildir) for number in range(3))
    assert notifier.notify(store.get(final(store, ERASURE))) is EmailOutcome.SENT
    assert [f"u-{number}" in mails(maildir) for number in range(3)] == [False, True, False]
    assert "Jobs, row 7: erased" in mails(maildir)
    assert "because you erased a row" in mails(maildir)


def test_it_is_done_again_until_it_is_done(store: UnsteadyStore, mailer: FakeMailer) -> None:
    channel = EmailChannel(mailer, stories.SENDER, stories.PUBLIC_URL)
    notifier = Notifier(store, channel, Choices(), Digests(store))
    notifier.notify(store.get(final(store, replace(stories.WITH_REJECTS, id="u-1"), "e-1")))
    erasure = final(store, ERASURE)
    mailer.error = MailError("the disk is full", permanent=False)
    with pytest.raises(MailError):
        notifier.notify(store.get(erasure))
    assert len(mailer.sent) == 1
    mailer.error = None
    notifier.notify(store.get(erasure))
    assert ["e-1" in str(message["Message-ID"]) for message in mailer.sent] == [True]


def test_a_mail_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    MaildirMailer(f"maildir://{tmp_path}/mail").withdraw("<gone@example.com>")


def test_what_a_server_took_is_not_ours(mailer: FakeMailer) -> None:
    open_mailer("smtp://127.0.0.1:9").withdraw("<gone@example.com>")
