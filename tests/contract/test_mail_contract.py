"""What every mailer promises: a mail that is taken arrives, as it was written."""

import random
from email.message import EmailMessage

import pytest

from notification.channels.email.mailer import MailError, open_mailer
from tests.contract.children import Child
from tests.contract.conftest import Received


def a_message(identifier: str = "<u-1.completed@example.com>") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = identifier
    message["From"] = "Muster <muster@example.com>"
    message["To"] = "ana@example.com"
    message["Subject"] = "año.csv: 70 rows were rejected"
    message["X-Request-Id"] = "r-1"
    message.set_content("Línea 1\n.\nFrom here on: ñ\n" + "long " * 400 + "\n")
    return message


def test_a_message_arrives_as_it_was_written(mailbox_and_url: tuple[Received, str]) -> None:
    received, url = mailbox_and_url
    sent = a_message()
    open_mailer(url).send(sent)
    [mail] = received()
    for name in ("Message-ID", "From", "To", "Subject", "X-Request-Id"):
        assert mail[name] == sent[name]
    assert mail.get_content() == sent.get_content()


def test_a_repeat_has_the_message_id_of_the_first(mailbox_and_url: tuple[Received, str]) -> None:
    received, url = mailbox_and_url
    for _ in range(2):
        open_mailer(url).send(a_message())
    assert {mail["Message-ID"] for mail in received()} == {"<u-1.completed@example.com>"}


def test_messages_with_ids_of_their_own_all_arrive(mailbox_and_url: tuple[Received, str]) -> None:
    received, url = mailbox_and_url
    identifiers = {f"<{number}@example.com>" for number in range(10)}
    mailer = open_mailer(url)
    for identifier in identifiers:
        mailer.send(a_message(identifier))
    assert {mail["Message-ID"] for mail in received()} == identifiers


@pytest.mark.parametrize("seed", range(2))
def test_what_a_killed_sender_handed_over_has_arrived_whole(
    mailbox_and_url: tuple[Received, str], seed: int
) -> None:
    received, url = mailbox_and_url
    with Child("send", url) as killed:
        sent = killed.lines(random.Random(seed).randrange(1, 40))
        sent += killed.kill()
    mails = received()
    assert {mail["Message-ID"] for mail in mails} >= set(sent)
    assert len(mails) <= len(sent) + 1
    assert all(mail.get_content().endswith("end\n") for mail in mails)


def test_a_mailer_that_answers_passes_its_check(mailbox_and_url: tuple[Received, str]) -> None:
    received, url = mailbox_and_url
    open_mailer(url).check()
    assert received() == []


def test_a_mailer_that_does_not_answer_may_do_so_later(unreachable_mail_url: str) -> None:
    mailer = open_mailer(unreachable_mail_url)
    with pytest.raises(MailError) as caught:
        mailer.send(a_message())
    assert not caught.value.permanent
    with pytest.raises(MailError) as caught:
        mailer.check()
    assert not caught.value.permanent
