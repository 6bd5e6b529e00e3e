"""A server that gives scripted answers, to see how the client and the command take them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

from tests.servers.http import serving

Answer = tuple[int, dict[str, str], bytes]
ME = b'{"id":"1","email":"ana@example.com","permissions":[],"disabled":false}'


class Script(BaseHTTPRequestHandler):
    """Gives scripted answers: a status, headers and a body, or None to cut the connection."""

    answers: ClassVar[list[Answer | None]]
    asked: ClassVar[list[tuple[str, dict[str, str], bytes]]]

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_script(answers: Sequence[Answer | None]) -> Iterator[tuple[str, type[Script]]]:
    """The URL at which the answers are given, in their order, and what was asked there."""
    handler = type("Handler", (Script,), {"answers": [*answers], "asked": []})
    with serving(handler) as port:
        yield f"http://127.0.0.1:{port}", handler


def problem(status: int, kind: str, **headers: str) -> Answer:
    """A refusal."""
    body = f'{{"type":"/docs/errors#{kind}","title":"T","status":{status},"detail":"D."}}'
    return status, {"Content-Type": "application/problem+json", **headers}, body.encode()
