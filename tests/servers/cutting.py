"""A TCP proxy that loses the answers to chosen requests, and their connections with them."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from tests.servers.proxy import Proxy


class AnswerCutter(Proxy):
    """Stands before the server at `port` of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port))
        self._request = b""
        self._times = 0

    def cut_answer_to(self, request: bytes, times: int = 1) -> None:
        """Lose the answers to the next requests that have these bytes, in lower case."""
        self._request, self._times = request, times

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass requests on, and answers until one is to be lost."""
        cut = Event()
        Thread(target=self._forward, args=(client, server, cut), daemon=True).start()
        Thread(target=_answer, args=(client, server, cut), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, cut: Event) -> None:
        with suppress(OSError), server:
            while data := client.recv(65536):
                if self._times and self._request in data.lower():
                    self._times -= 1
                    cut.set()
                server.sendall(data)


def _answer(client: socket.socket, server: socket.socket, cut: Event) -> None:
    with suppress(OSError), client:
        # The answer has come when the connection is cut, so the server has done what was asked.
        while (data := server.recv(65536)) and not cut.is_set():
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def _ending(*ends: socket.socket) -> Iterator[None]:
    """End the connections after the block, however it ends: closing alone leaves others waiting."""
    with suppress(OSError):
        yield
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


class RandomCutter(Proxy):
    """Cuts connections to `port` of 127.0.0.1 after bytes that chance has, in either direction.

    Each connection may carry from 1 to `most` bytes, or, once in `whole`, as many as it likes.
    """

    def __init__(self, port: int, chance: random.Random, most: int, whole: int = 3) -> None:
        super().__init__(("127.0.0.1", port))
        self._chance, self._most, self._whole = chance, most, whole
        self.cut = 0

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what comes from either end, until the connection has carried its bytes."""
        left = [self._chance.randint(1, self._most)] if self._chance.randrange(self._whole) else []
        for source, target in ((client, server), (server, client)):
            Thread(target=self._carry, args=(source, target, left), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, left: list[int]) -> None:
        with _ending(source, target):
            while data := source.recv(65536):
                if left and len(data) > left[0]:
                    target.sendall(data[: left[0]])
                    self.cut += 1
                    break
                if left:
                    left[0] -= len(data)
                target.sendall(data)


class EveryCutter(Proxy):
    """Cuts each connection to `port` of 127.0.0.1 once so many bytes have gone to the server.

    `carried` are the bytes that have gone there in all.
    """

    def __init__(self, port: int, every: int) -> None:
        super().__init__(("127.0.0.1", port))
        self._every = every
        self.carried = self.cut = 0

    def join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what comes from either end, until the connection is cut."""
        Thread(target=self._carry, args=(client, server), daemon=True).start()
        Thread(target=_answer, args=(client, server, Event()), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        left = self._every
        with _ending(client, server):
            while left and (data := client.recv(min(65536, left))):
                server.sendall(data)
                left -= len(data)
                self.carried += len(data)
            self.cut += not left
