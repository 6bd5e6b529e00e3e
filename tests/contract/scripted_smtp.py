"""An SMTP server that misbehaves as it is told to, at any stage."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import cast

HANG_UP, SAY_NOTHING, DRIP = "(hang up)", "(say nothing)", "(drip)"
_POLITE = {
    "connect": "220 scripted",
    "EHLO": "250-scripted\r\n250 SIZE 1000000",
    "DATA": "354 go on",
}


class ScriptedServer:
    """Answers each stage with its reply in `replies`, or as a polite server would.

    Stages are the commands' names, `connect`, and `content` for the end of a message. A reply may
    also be HANG_UP, SAY_NOTHING or DRIP: a byte at a time, for ever.
    """

    def __init__(self, replies: Mapping[str, str]) -> None:
        self.replies = {**_POLITE, **replies}
        self.stages: list[str] = []
        self.released = Event()

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve on a free port of 127.0.0.1, which is given."""
        with _Listener(self) as listener:
            thread = Thread(target=listener.serve_forever, args=(0.01,), name="scripted smtp")
            thread.start()
            try:
                yield listener.server_address[1]
            finally:
                self.released.set()
                listener.shutdown()
                thread.join()


class _Listener(ThreadingTCPServer):
    def __init__(self, script: ScriptedServer) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Conversation)


class _Conversation(StreamRequestHandler):
    def handle(self) -> None:
        script = cast(_Listener, self.server).script
        try:
            for stage in chain(["connect"], self._stages(script.replies["DATA"])):
                script.stages.append(stage)
                if not self._reply(script.replies.get(stage, "250 OK"), script.released):
                    return
        except ConnectionError:
            return  # The client had enough.

    def _stages(self, reply_to_data: str) -> Iterator[str]:
        while line := self.rfile.readline():
            command = line.split()[0].decode("ascii", "replace").upper()
            yield command
            if command == "DATA" and reply_to_data.startswith("354"):
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                yield "content"

    def _reply(self, reply: str, released: Event) -> bool:
        """Whether the conversation goes on."""
        match reply:
            case "(hang up)":
                return False
            case "(say nothing)":
                released.wait()
                return False
            case "(drip)":
                self.wfile.write(b"250-")
                while not released.wait(0.02):
                    self.wfile.write(b".")
                return False
        self.wfile.write(reply.encode() + b"\r\n")
        return not reply.startswith("421")
