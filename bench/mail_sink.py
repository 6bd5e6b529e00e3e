"""`python -m bench.mail_sink PORT`: a mail server that takes every mail and keeps none.

What a real one does with mail takes other machines' time; that of the tests is written in Python,
and would take as much of the cores that are measured as a service does.
"""

import asyncio
import sys
from collections.abc import Sequence

from tests.servers.smtp import SmtpServer

_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_OK = b"250 ok\r\n"
_END = b"\r\n.\r\n"


class MailSink(SmtpServer):
    """The server, on a free port."""

    def argv(self) -> Sequence[str]:
        """The server's command."""
        return [sys.executable, "-m", __name__, str(self._port)]


class Session(asyncio.Protocol):
    """One connection: RFC 5321, as far as a client needs that sends one command at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._is_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        self._received += data
        if self._is_mail:
            if self._received.endswith(_END):
                self._is_mail, self._received = False, b""
                self._transport.write(_OK)
        elif self._received.endswith(b"\r\n"):
            command, self._received = self._received[:4].upper(), b""
            self._is_mail = command == b"DATA"
            self._transport.write(_ANSWERS.get(command, _OK))
            if command == b"QUIT":
                self._transport.close()


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
