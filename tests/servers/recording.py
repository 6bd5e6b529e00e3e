"""A TCP proxy that keeps what passes, as somebody would who listens on the network."""

import socket
from contextlib import suppress
from threading import Thread

from tests.servers.proxy import Proxy


class Recorder(Proxy):
    """Stands before the server at `port` of 127.0.0.1; `heard` is all that passed, in pieces."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port))
        self._heard: list[bytes] = []

    @property
    def heard(self) -> bytes:
        """What was sent either way."""
        return b"".join(self._heard)

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass both directions on."""
        for ends in ((client, server), (server, client)):
            Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), target:
            while data := source.recv(65536):
                self._heard.append(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
