"""TCP proxies that put other bytes in place of some that a server answers with, or is sent."""

import socket
from contextlib import suppress
from threading import Thread
from typing import Self


class _Rewriter:
    """Stands before the server at `port` of 127.0.0.1, at a port of its own.

    While `is_on`, `other` passes for `text`, which is as long.
    """

    rewrites_answers = False

    def __init__(self, port: int, text: bytes, other: bytes) -> None:
        assert len(text) == len(other)
        self._server_port = port
        self._text, self._other = text, other
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.is_on = True
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Closing alone leaves the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
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
