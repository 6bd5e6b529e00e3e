"""Mail into a Maildir: one mail a Message-ID, also when its reader was quicker."""

import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from notification.channels.email.maildir import MaildirMailer
from notification.channels.email.mailer import MailError


def a_message(identifier: str | None = "<a@example.com>") -> EmailMessage:
    message = EmailMessage()
    if identifier is not None:
        message["Message-ID"] = identifier
    message["To"] = "ana@example.com"
    message.set_content("text")
    return message


@pytest.fixture
def mailer(tmp_path: Path) -> MaildirMailer:
    return MaildirMailer(f"maildir://{tmp_path}/mail")


def test_a_repeat_leaves_one_mail(mailer: MaildirMailer, tmp_path: Path) -> None:
    mailer.send(a_message())
    mailer.send(a_message())
    assert len(mailbox.Maildir(tmp_path / "mail")) == 1


def test_a_repeat_of_a_mail_that_was_read_leaves_one_mail(
    mailer: MaildirMailer, tmp_path: Path
) -> None:
    mailer.send(a_message())
    folder = mailbox.Maildir(tmp_path / "mail")
    [(key, mail)] = folder.items()
    mail.set_subdir("cur")
    mail.set_flags("RS")
    folder[key] = mail
    mailer.send(a_message())
    assert list((tmp_path / "mail" / "new").iterdir()) == []
    assert len(list((tmp_path / "mail" / "cur").iterdir())) == 1


def test_a_message_without_an_id_can_never_be_sent(mailer: MaildirMailer) -> None:
    with pytest.raises(MailError) as caught:
        mailer.send(a_message(identifier=None))
    assert caught.value.permanent


def test_lines_of_a_stored_mail_end_as_in_any_file(mailer: MaildirMailer, tmp_path: Path) -> None:
    mailer.send(a_message())
    [file] = (tmp_path / "mail" / "new").iterdir()
    assert b"\r" not in file.read_bytes()
