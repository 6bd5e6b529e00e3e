"""Mail handed to an SMTP server (RFC 5321): the mailer, then its URL, envelope and session.

The URL is `smtp://`, `smtps://` or `smtp+starttls://`, then `[USER:PASSWORD@]HOST[:PORT]` and
`[?ca_file=PATH]`. An error shows no part of it but the `ca_file` of a good one: where a password is
not percent-encoded, any other part may be the password.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from ipaddress import ip_address
from threading import Timer
from typing import NoReturn, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from muster.adapters import ConfigurationError
from notification.channels.email.mailer import MailError, serialise

_PORTS = {
    "smtp": 25,  # RFC 5321, section 4.5.4.2
    "smtps": 465,  # RFC 8314, section 3.3
    "smtp+starttls": 587,  # RFC 6409, section 3.1
}
_QUIT_SECONDS = 5
_LONGEST_REASON = 300


class SmtpMailer:
    """Hands over each message whole, or to none of its recipients.

    A session has a connection of its own. Most emails are seconds or minutes apart, and servers
    close idle connections: one that is kept for longer would have to be checked, and made again
    anyway. `send_seconds` bound a session from its greeting on. They are many because a server that
    checks a mail before it takes it, and is left too early, gets it again (RFC 5321, section
    4.5.3.2.6).
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
        with self.session() as send:
            send(message)

    @contextmanager
    def session(self) -> Iterator[Callable[[EmailMessage], None]]:
        """`send` of several messages over one connection, made with the first."""
        clients: list[smtplib.SMTP] = []

        def send(message: EmailMessage) -> None:
            envelope = Envelope.of(message)
            # Seven bits pass every server; only addresses can't be written in them.
            content = serialise(
                message, linesep="\r\n", cte_type="7bit", utf8=envelope.is_international
            )
            if not clients:
                clients.append(session.enter_context(self._connected(self._send_seconds)))
                if self._server.account is not None:
                    _log_in(clients[0], self._server.account)
            _hand_over(clients[0], envelope, content)

        with ExitStack() as session:
            yield send

    def withdraw(self, identifier: str) -> None:
        """What was handed over is the server's, and then the recipient's: nothing is done."""

    def check(self) -> None:
        """Return if the server answers, encrypted as the URL says; raises MailError."""
        with self._connected(self._check_seconds) as client:
            code, text = client.noop()
            if code != 250:
                raise MailError(f"not ready: {_shown(code, text)}", permanent=False)

    @contextmanager
    def _connected(self, seconds: float) -> Iterator[smtplib.SMTP]:
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


def _log_in(client: smtplib.SMTP, account: "Account") -> None:
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


def _hand_over(client: smtplib.SMTP, envelope: "Envelope", content: bytes) -> None:
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


@dataclass(frozen=True)
class Account:
    """Who logs in."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class SmtpServer:
    """A server, how to talk to it (`scheme`), and the certificates that are trusted, if any are."""

    scheme: str
    host: str
    port: int
    account: Account | None
    tls: ssl.SSLContext | None

    @classmethod
    def from_url(cls, url: str) -> "SmtpServer":
        """Raises ConfigurationError, also where a password would travel in the clear."""
        try:
            parts = urlsplit(url)
            host, port = _host_of(parts), parts.port or _PORTS[parts.scheme]
        except ValueError:
            # From None: the reason quotes the URL.
            _unusable("write [USER:PASSWORD@]HOST[:PORT], user and password percent-encoded", None)
        if parts.path.strip("/") or parts.fragment:
            _unusable("nothing but ?ca_file= may follow the host and the port")
        account = _account_of(parts)
        if account and parts.scheme == "smtp" and not _is_loopback(host):
            _unusable("a password needs smtps:// or smtp+starttls://, unless the host is this one")
        return cls(parts.scheme, host, port, account, _trust_of(parts))


def _unusable(advice: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigurationError(f"The mail URL can't be used: {advice}.") from cause


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" not in host:
        # What no resolver takes raises here rather than at the first email.
        host = host.encode("idna").decode("ascii")
    if not host or host != "".join(host.split()):
        raise ValueError("no host")
    return host


def _account_of(parts: SplitResult) -> Account | None:
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        _unusable("a login needs a user and a password")
    if not (user + password).isascii():
        # smtplib encodes both as ASCII, and its error would quote them.
        _unusable("user and password must be ASCII")
    return Account(user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # RFC 6761, section 6.3


def _trust_of(parts: SplitResult) -> ssl.SSLContext | None:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca_file = options.pop("ca_file", None)
    # An empty one, as a template may leave it, would trust the system's authorities instead.
    if options or ca_file == "":
        _unusable("the only option is ?ca_file=PATH")
    if parts.scheme == "smtp":
        if ca_file is not None:
            _unusable("?ca_file= is for smtps:// and smtp+starttls://")
        return None
    try:
        # An authority named here takes the place of the system's.
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        _unusable(f"ca_file {ca_file!r} can't be read: {error}", error)


@dataclass(frozen=True)
class Envelope:
    """The addresses of a transaction (RFC 5321, section 2.3.1)."""

    sender: str
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, message: EmailMessage) -> Self:
        """From `From`, which has one address, and `To`; raises a permanent MailError."""
        senders, recipients = _addresses(message, "From"), _addresses(message, "To")
        if len(senders) != 1 or not recipients:
            raise MailError("a message needs one sender and a recipient", permanent=True)
        return cls(senders[0], recipients)

    @property
    def is_international(self) -> bool:
        """Whether an address is beyond ASCII, which takes SMTPUTF8 (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))


def _addresses(message: EmailMessage, name: str) -> tuple[str, ...]:
    header = message[name]
    if header is None:
        return ()
    found = tuple(address.addr_spec for address in header.addresses)
    # Not header.defects: people have addresses such as a..b@example.com. A header that holds
    # something else altogether is read as an address without a domain.
    if not all(each.isprintable() and "@" in each[1:-1] for each in found):
        raise MailError(f"{name} holds what is no address", permanent=True)
    return found


@contextmanager
def open_session(
    server: SmtpServer, *, connect_seconds: float, seconds: float
) -> Iterator[smtplib.SMTP]:
    """A client that has been greeted, encrypted as the URL says, and not logged in.

    `seconds` are for the whole session once connected: at their end the connection is cut, whatever
    it waits for. Raises smtplib.SMTPException or OSError; past the deadline, TimeoutError.
    """
    address = (server.host, server.port)
    with (
        closing(socket.create_connection(address, connect_seconds)) as connection,
        _deadline(connection, seconds),
        closing(_secure(connection, server)) as secured,
    ):
        client = _Client(server.host, server.port, secured)
        try:
            _introduce(client)
            if server.scheme == "smtp+starttls":
                client.starttls(context=server.tls)
                _introduce(client)
            yield client
        finally:
            _quit(client)


def _secure(connection: socket.socket, server: SmtpServer) -> socket.socket:
    if server.scheme == "smtps" and server.tls is not None:
        return server.tls.wrap_socket(connection, server_hostname=server.host)
    return connection


def _introduce(client: smtplib.SMTP) -> None:
    # smtplib's own way falls back to HELO, after which the server's extensions stay unknown.
    code, text = client.ehlo()
    if code != 250:
        raise smtplib.SMTPHeloError(code, text)


class _Client(smtplib.SMTP):
    """smtplib's client over a connection that is made already."""

    def __init__(self, host: str, port: int, connection: socket.socket) -> None:
        self._connection = connection
        super().__init__(host, port)

    def _get_socket(self, *_address: object) -> socket.socket:
        # Where smtplib's own subclass has a socket of its kind. Not connect(), which keeps more.
        return self._connection


@contextmanager
def _deadline(connection: socket.socket, seconds: float) -> Iterator[None]:
    # A socket's own timeout begins again with every byte that a slow server sends.
    connection.settimeout(None)
    passed = False

    def cut() -> None:
        nonlocal passed
        passed = True
        with suppress(OSError):
            spare.shutdown(socket.SHUT_RDWR)

    # TLS takes the place of the socket; a duplicate ends the connection all the same.
    with closing(connection.dup()) as spare:
        timer = Timer(seconds, cut)
        timer.start()
        try:
            yield
        except (smtplib.SMTPException, OSError) as error:
            if passed:
                raise TimeoutError(f"not done within {seconds:g} seconds") from error
            raise
        finally:
            timer.cancel()
            timer.join()


def _quit(client: smtplib.SMTP) -> None:
    """Say goodbye. Whatever the server answers, a mail that it took is taken."""
    with suppress(smtplib.SMTPException, OSError):
        if client.sock is not None:
            client.sock.settimeout(_QUIT_SECONDS)
        client.quit()
    client.close()
