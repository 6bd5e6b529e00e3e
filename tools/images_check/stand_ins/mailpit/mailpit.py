#!/opt/mailpit/bin/python
"""Catches emails at port 1025 and shows them at port 8025, as Mailpit does.

Of its API (https://mailpit.axllent.org/docs/api-v1) there are the list, one email as it came, and
/livez and /readyz.
"""

import json
import signal
import sys
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

caught: list[bytes] = []


class Catcher:
    """Takes every email."""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep what came; https://aiosmtpd.aio-libs.org/en/stable/handlers.html."""
        caught.append(envelope.content)
        return "250 OK"


class Page(BaseHTTPRequestHandler):
    """Answers the calls of the API."""

    def do_GET(self) -> None:
        """Answer with the list, with one message, or with 404."""
        match self.path.partition("?")[0].strip("/").split("/"):
            case ["livez" | "readyz"]:
                self._answer(b"ok")
            case ["api", "v1", "messages"]:
                messages = [{"ID": str(number)} for number in reversed(range(len(caught)))]
                self._answer(json.dumps({"messages": messages, "total": len(caught)}).encode())
            case ["api", "v1", "message", number, "raw"]:
                self._answer(caught[int(number)])
            case _:
                self.send_error(404)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve; or, as `mailpit readyz`, say whether it serves."""
    if sys.argv[1:] == ["readyz"]:
        connection = HTTPConnection("127.0.0.1", 8025, timeout=4)
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    Controller(Catcher(), hostname="0.0.0.0", port=1025).start()  # noqa: S104 - in its container
    with suppress(KeyboardInterrupt):
        ThreadingHTTPServer(("0.0.0.0", 8025), Page).serve_forever()  # noqa: S104
    return 0


if __name__ == "__main__":
    sys.exit(main())
