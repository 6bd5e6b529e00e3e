"""A stand-in for a member of a MongoDB replica set, which tells clients whatever addresses."""

import socket
import struct
from contextlib import suppress
from threading import Thread
from typing import Any, Self

import bson

_HEADER = struct.Struct("<iiii")
_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_ANSWERS: dict[str, dict[str, Any]] = {
    "buildinfo": {"version": "8.0.0"},
    "find": {"cursor": {"id": 0, "ns": "muster.contracts.uploads", "firstBatch": []}},
    "update": {"n": 1, "nModified": 0},
}


class Member:
    """Listens at a port of 127.0.0.1, and is the primary of a set of one, at the address `me`."""

    def __init__(self, me: str | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.me = me or f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave the port, and every client."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), client.makefile("rb") as asked:
            while head := asked.read(_HEADER.size):
                length, request, _, code = _HEADER.unpack(head)
                body = asked.read(length - _HEADER.size)
                start = body.index(b"\0", 4) + 9 if code == _QUERY else 5
                (size,) = struct.unpack_from("<i", body, start)
                answer = bson.encode(self._answer(bson.decode(body[start : start + size])))
                before = struct.pack("<iqii", 8, 0, 0, 1) if code == _QUERY else b"\0" * 5
                kind = _REPLY if code == _QUERY else _MESSAGE
                total = _HEADER.size + len(before) + len(answer)
                client.sendall(_HEADER.pack(total, 0, request, kind) + before + answer)

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command)).lower()
        hello = {
            "helloOk": True,
            "isWritablePrimary": True,
            "ismaster": True,
            "setName": "rs0",
            "hosts": [self.me],
            "me": self.me,
            "maxWireVersion": 25,
            "maxBsonObjectSize": 16 * 1024**2,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30,
        }
        known = hello if name in ("hello", "ismaster") else _ANSWERS.get(name, {})
        return {**known, "ok": 1.0}
