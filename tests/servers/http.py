"""A server of HTTP in a thread of the tests' own."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Its port of 127.0.0.1, on which `handler` answers meanwhile."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        # Asked so often whether to end: by itself, twice a second.
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
