"""A stand-in for the services that the gateway hands requests on to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOTE = "/internal/audit"


@dataclass
class Behind:
    """A service that keeps what it was asked and answers as it was told."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    """By verb and path, where they differ: the status, and what is sent as JSON."""
    noted: list[dict[str, str]] = field(default_factory=list)
    """For the audit log, apart from what else is asked."""

    def answer(self, verb: str, path: str) -> tuple[int, bytes]:
        """The status and body of the answer to a request."""
        found = self.answers.get(f"{verb} {path.partition('?')[0]}")
        if found is None and path == NOTE:
            return 204, b""
        if found is None:
            return self.status, self.body
        status, document = found
        return status, b"" if document is None else json.dumps(document).encode()


@contextmanager
def serve_behind() -> Iterator[Behind]:
    """Such a service, on a free port."""
    behind = Behind()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            if self.path == NOTE:
                behind.noted.append(json.loads(body))
            else:
                behind.asked.append((self.command, self.path, dict(self.headers), body))
            status, answer = behind.answer(self.command, self.path)
            self.send_response(status)
            for name, value in behind.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        behind.url = f"http://127.0.0.1:{server.server_port}"
        yield behind
        server.shutdown()
        thread.join()
