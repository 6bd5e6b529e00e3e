"""The mail server of the bench takes what the services send."""

from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from bench.mail_sink import MailSink
from notification.channels.email.mailer import open_mailer


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSink]:
    with MailSink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.mark.parametrize("recipient", ["ana@example.com", "zoë@example.com"])
@pytest.mark.parametrize(
    "text", ["Hello", ".\r\n..\r\nZoë\r\n.", "x" * 200_000], ids=["plain", "dots", "long"]
)
def test_mail_is_taken_one_after_another(sink: MailSink, recipient: str, text: str) -> None:
    mailer = open_mailer(sink.url())
    for number in range(2):
        message = EmailMessage()
        message["From"] = "muster@example.com"
        message["To"] = recipient
        message["Message-ID"] = f"<{number}@example.com>"
        message.set_content(text)
        mailer.send(message)
