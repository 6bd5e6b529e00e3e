"""An SMTP server in this process that keeps what it is sent."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.waiting import DEADLINE_SECONDS

USER, PASSWORD = "ana", "s3cret/pass@word"


class Sink:
    """The handler of an aiosmtpd server, whose replies it gives beforehand where `replies` has one.

    `replies` are by stage: MAIL, RCPT or DATA. Envelopes are kept in the order of their arrival.
    """

    def __init__(self, **replies: str) -> None:
        self.replies = replies
        self.envelopes: list[Envelope] = []
        self.sessions: list[Session] = []
        self.encrypted: list[bool] = []

    def received(self) -> list[EmailMessage]:
        """The messages, as a server stores them: with its own ends of lines."""
        return [
            message_from_bytes(content.replace(b"\r\n", b"\n"), EmailMessage, policy=policy.default)
            for content in self.contents()
        ]

    def contents(self) -> list[bytes]:
        """The messages as they came over the wire."""
        return [each.content for each in self.envelopes if isinstance(each.content, bytes)]

    async def handle_MAIL(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.replies.get(f"RCPT {address}", self.replies.get("RCPT", "250 OK"))

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        reply = self.replies.get("DATA", "250 OK")
        if reply.startswith("250"):
            self.envelopes.append(envelope)
            self.sessions.append(session)
            encrypted = server.transport and server.transport.get_extra_info("sslcontext")
            self.encrypted.append(bool(encrypted))
        return reply

    @contextmanager
    def serving(self, *, implicit_tls: SSLContext | None = None, **options: Any) -> Iterator[int]:
        """Serve on a free port of 127.0.0.1, which is given; `options` are those of aiosmtpd."""
        options.setdefault("enable_SMTPUTF8", True)
        loop = asyncio.new_event_loop()
        conversations: list[SMTP] = []

        def converse() -> SMTP:
            conversations.append(SMTP(self, loop=loop, hostname="sink.example.com", **options))
            return conversations[-1]

        start = loop.create_server(converse, "127.0.0.1", 0, ssl=implicit_tls)
        server = loop.run_until_complete(start)
        thread = Thread(target=loop.run_forever, name="smtp sink")
        thread.start()
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            stopping = asyncio.run_coroutine_threadsafe(_stop(server, conversations), loop)
            try:
                stopping.result(DEADLINE_SECONDS)
            finally:
                # A thread that goes on would keep the process of the tests from ending.
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()


async def _stop(server: asyncio.Server, conversations: Sequence[SMTP]) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # A connection that is left to the garbage collection is a warning, and so an error.
    for each in conversations:
        # Python 3.11.2 does not bear that one of TLS is aborted after it was closed twice.
        if isinstance(each.transport, asyncio.Transport) and not each.transport.is_closing():
            each.transport.abort()
    # TLS ends a turn of the loop later than what is under it.
    for _ in range(3):
        await asyncio.sleep(0)


def only_ana(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object
) -> AuthResult:
    """Whether it is the one user there is."""
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=login == known, handled=False)
