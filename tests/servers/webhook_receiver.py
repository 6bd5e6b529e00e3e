"""Endpoints of this machine over TLS, and what was sent to them."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

Answer = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    head: str
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(" ", 2)[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@dataclass
class Receiver:
    """Answers each call by `answer`, in a thread for each connection."""

    port: int
    answer: Answer
    calls: list[Call] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"


def status(line: str, *headers: str, body: str = "") -> Answer:
    """Answers with that status."""
    lines = "".join(f"{each}\r\n" for each in (*headers, f"Content-Length: {len(body)}"))
    text = f"HTTP/1.1 {line}\r\n{lines}\r\n{body}".encode()
    return lambda connection: connection.sendall(text)


def _serve(receiver: Receiver, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        receiver.connections += 1
        Thread(target=_answer, args=(receiver, accepted, tls), daemon=True).start()


def _answer(receiver: Receiver, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError, ValueError), accepted:
        wrapped = accepted if tls is None else tls.wrap_socket(accepted, server_side=True)
        with wrapped, wrapped.makefile("rb") as incoming:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = incoming.readline()
                if not line:
                    return
                head += line
            call = Call(head.decode().rstrip("\r\n"), b"")
            body = incoming.read(int(call.headers["content-length"]))
            receiver.calls.append(Call(call.head, body))
            receiver.answer(wrapped)


@contextmanager
def receiving(
    answer: Answer, tls: ssl.SSLContext | None, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    """An endpoint; without `tls` it speaks plain HTTP."""
    with socket.create_server((host, 0), backlog=128) as listener:
        receiver = Receiver(listener.getsockname()[1], answer)
        thread = Thread(target=_serve, args=(receiver, listener, tls), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)
