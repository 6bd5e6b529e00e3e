"""Mail handed to an SMTP server: `smtp://`, `smtps://`, `smtp+starttls://` (RFC 5321).

A connection serves one message. Emails here are seconds or minutes apart, and servers close idle
connections; one that is kept would need to be looked after, and to be made again anyway.
"""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from muster.mail import MailError
from muster.mail.envelope import Envelope
from muster.mail.serialising import serialise
from muster.mail.smtpserver import Account, SmtpServer
from muster.mail.smtpsession import open_session

_LONGEST_REASON = 300


class SmtpMailer:
    """Hands over each message whole, or to none of its recipients.

    `send_seconds` end a session from its greeting on. They are many: a server that checks a mail
    before it takes it, and is left too early, gets it again (RFC 5321, section 4.5.3.2.6).
    """

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float = 10,
        check_seconds: float = 10,
        send_seconds: float = 300,
    ) -> None:
        self._server = SmtpServer.from_url(url)
        self._connect_seconds = connect_seconds
        self._check_seconds = check_seconds
        self._send_seconds = send_seconds

    def send(self, message: EmailMessage) -> None:
        """Return once the server took the message; raises MailError.

        Permanent is what the server refuses for good (5yz) of sender, recipient or content, and an
        address beyond ASCII where it has no SMTPUTF8. All else may pass, also a refused login.
        """
        envelope = Envelope.of(message)
        # Seven bits pass every server; only addresses can't be written in them.
        content = serialise(
            message, linesep="\r\n", cte_type="7bit", utf8=envelope.is_international
        )
        with self._session(self._send_seconds) as client:
            if self._server.account is not None:
                _log_in(client, self._server.account)
            _hand_over(client, envelope, content)

    def check(self) -> None:
        """Return if the server answers, encrypted as the URL says; raises MailError."""
        with self._session(self._check_seconds) as client:
            code, text = client.noop()
            if code != 250:
                raise MailError(f"not ready: {_shown(code, text)}", permanent=False)

    @contextmanager
    def _session(self, seconds: float) -> Iterator[smtplib.SMTP]:
        try:
            with open_session(
                self._server, connect_seconds=self._connect_seconds, seconds=seconds
            ) as client:
                yield client
        except smtplib.SMTPResponseException as error:
            reason = _shown(error.smtp_code, error.smtp_error)
            raise MailError(f"no session: {reason}", permanent=False) from error
        except (smtplib.SMTPException, OSError) as error:
            reason = str(error) or type(error).__name__
            raise MailError(f"the connection failed: {reason}", permanent=False) from error


def _log_in(client: smtplib.SMTP, account: Account) -> None:
    # Neither texts nor causes are passed on: a server may repeat what it was sent.
    try:
        client.login(account.user, account.password)
    except smtplib.SMTPAuthenticationError as error:
        # For now, whatever the code: the setting is wrong, and no email may be lost by that.
        raise MailError(f"login refused: {error.smtp_code}", permanent=False) from None
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPException, ValueError):
        raise MailError("the server offers no login that works", permanent=False) from None


def _hand_over(client: smtplib.SMTP, envelope: Envelope, content: bytes) -> None:
    options = [f"SIZE={len(content)}"] if client.has_extn("size") else []
    if envelope.is_international:
        if not client.has_extn("smtputf8"):
            raise MailError("the server takes no address beyond ASCII", permanent=True)
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    _require("sender", client.mail(envelope.sender, options))
    for recipient in envelope.recipients:
        _require("recipient", client.rcpt(recipient))
    try:
        _require("message", client.data(content))
    except smtplib.SMTPDataError as error:
        _refuse("message", error.smtp_code, error.smtp_error)


def _require(what: str, reply: tuple[int, bytes]) -> None:
    if not 200 <= reply[0] <= 299:
        _refuse(what, *reply)


def _refuse(what: str, code: int, text: bytes | str) -> None:
    raise MailError(f"{what} refused: {_shown(code, text)}", permanent=_is_for_good(code))


def _is_for_good(code: int) -> bool:
    return 500 <= code <= 599  # RFC 5321, section 4.2.1


def _shown(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())[:_LONGEST_REASON]}"
