"""TCP proxies that put other bytes in place of some that a server answers with, or is sent."""

import socket
from contextlib import suppress
from threading import Thread

from tests.servers.proxy import Proxy


class _Rewriter(Proxy):
    """Stands before the server at `port` of 127.0.0.1.

    While `is_on`, `other` passes for `text`, which is as long.
    """

    rewrites_answers = False

    def __init__(self, port: int, text: bytes, other: bytes) -> None:
        assert len(text) == len(other)
        super().__init__(("127.0.0.1", port))
        self._text, self._other = text, other
        self.is_on = True

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass both directions on, one of them rewritten."""
        for ends in (
            (client, server, not self.rewrites_answers),
            (server, client, self.rewrites_answers),
        ):
            Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, rewrites: bool) -> None:
        with suppress(OSError), target:
            while data := source.recv(65536):
                is_other = rewrites and self.is_on
                target.sendall(data.replace(self._text, self._other) if is_other else data)
            target.shutdown(socket.SHUT_RDWR)


class AnswerRewriter(_Rewriter):
    """Rewrites what the server answers."""

    rewrites_answers = True


class StatementRewriter(_Rewriter):
    """Rewrites what the server is sent: it stands in for one that does not do what it is told."""
