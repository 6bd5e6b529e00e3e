"""What every TCP proxy of the tests does alike: it stands before a server and joins two ends."""

import socket
from contextlib import suppress
from threading import Thread
from typing import Self


class Proxy:
    """Stands before the server at the address `server`, at a port of its own of 127.0.0.1."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Closing alone leaves the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Begin to pass on what comes from either end, in threads."""
        raise NotImplementedError

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                    continue
                self.join(client, server)
