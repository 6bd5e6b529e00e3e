"""A TCP proxy that puts other bytes in place of some that the server answers with."""

import socket
from contextlib import suppress
from threading import Thread
from typing import Self


class AnswerRewriter:
    """Stands before the server at `port` of 127.0.0.1, at a port of its own.

    While `is_on`, it answers with `other` for `text`, which is as long.
    """

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
                Thread(target=self._forward, args=(client, server), daemon=True).start()
                Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), server:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError), client:
            while data := server.recv(65536):
                client.sendall(data.replace(self._text, self._other) if self.is_on else data)
            client.shutdown(socket.SHUT_RDWR)
