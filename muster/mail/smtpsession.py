"""One connection to an SMTP server, over at a deadline."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Timer

from muster.mail.smtpserver import SmtpServer

_QUIT_SECONDS = 5


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
    # Not smtplib's own way: it goes on by HELO, and what the server can do stays unknown.
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
    """Take leave. What the server makes of it changes nothing for a mail that it took."""
    with suppress(smtplib.SMTPException, OSError):
        if client.sock is not None:
            client.sock.settimeout(_QUIT_SECONDS)
        client.quit()
    client.close()
