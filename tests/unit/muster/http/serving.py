"""The worker in this process, over an app of the test's."""

import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from gunicorn.config import Config
from gunicorn.glogging import Logger
from prometheus_client import REGISTRY

from muster.http.early_responses import CloseAfterEarlyResponses
from muster.http.worker import Worker
from tests.waiting import DEADLINE_SECONDS

App = Callable[[dict[str, Any], Any], Any]


class Served:
    """A server; `connect` makes a client that reads with a deadline."""

    def __init__(self, port: int, worker: Worker) -> None:
        self.port = port
        self.worker = worker

    def connect(self, *, receive_bytes: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(DEADLINE_SECONDS)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def ask(self, path: str = "/") -> bytes:
        with self.connect() as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def until(connection: socket.socket, end: bytes) -> bytes:
    """What comes up to `end`."""
    received = b""
    while not received.endswith(end):
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def cut_off(reason: str) -> float:
    """How many were cut off for this so far."""
    return REGISTRY.get_sample_value("muster_clients_cut_off_total", {"reason": reason}) or 0.0


@contextmanager
def serving(app: App, *, door: bool = False, **settings: object) -> Iterator[Served]:
    """The worker over `app` with settings of the server's; stopped as by SIGTERM."""
    config = Config()
    config.set("threads", settings.get("threads", 4))
    config.set("keepalive", 1)
    config.set("graceful_timeout", 5)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        options: Any = (1, os.getppid(), [listener], None, 30, config, Logger(config))
        worker = Worker(*options)
        worker.configure(worker._settings.model_copy(update={"threads": 4, **settings}))
        worker.has_door = door
        worker.wsgi = cast(Any, CloseAfterEarlyResponses(app))
        thread = threading.Thread(target=_run, args=(worker,))
        thread.start()
        try:
            yield Served(listener.getsockname()[1], worker)
        finally:
            worker.handle_exit(15, None)
            thread.join(DEADLINE_SECONDS)
            worker.tmp.close()
            assert not thread.is_alive()


def _run(worker: Worker) -> None:
    worker.tpool = worker.get_thread_pool()
    worker.poller = selectors.DefaultSelector()
    worker.method_queue.init()
    worker.run()
