"""A TCP proxy that loses the answer to a chosen request, and the connection with it."""

import socket
from contextlib import suppress
from threading import Event, Thread
from typing import Self


class AnswerCutter:
    """Stands before the server at `port` of 127.0.0.1, at a port of its own."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._request: bytes | None = None
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Closing alone leaves the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut_answer_to(self, request: bytes) -> None:
        """Lose the answer to the next request that has these bytes, in lower case."""
        self._request = request

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._server_port))
                except OSError:
                    client.close()
                    continue
                cut = Event()
                Thread(target=self._forward, args=(client, server, cut), daemon=True).start()
                Thread(target=_answer, args=(client, server, cut), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, cut: Event) -> None:
        with suppress(OSError), server:
            while data := client.recv(65536):
                if self._request is not None and self._request in data.lower():
                    self._request = None
                    cut.set()
                server.sendall(data)


def _answer(client: socket.socket, server: socket.socket, cut: Event) -> None:
    with suppress(OSError), client:
        # The answer has come when the connection is cut, so the server has done what was asked.
        while (data := server.recv(65536)) and not cut.is_set():
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
