"""The supervisor's side of the fork server."""

import errno
import json
import math
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import IO

from embedded import forkserver
from embedded.child import Child, Program
from embedded.home import Home
from embedded.launcher import Forked, Process

_LONGEST_FORK_SECONDS = 30.0
_ROOM_FOR_VARIABLES = 4096
_ROOM_FOR_COMMAND = 512
_REST_SECONDS = 10.0


class ForkServer(Child):
    """The fork server as a child, and as what launches the others.

    Once all run it takes a tenth of all memory for nothing, so it rests: it ends, and is started
    again when a process is to be.
    """

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        own = {**forkserver.ENVIRONMENT, forkserver.ROOM: "x" * _ROOM_FOR_VARIABLES}
        super().__init__(Program("forkserver", (), {**environment, **own}), home)
        self._requests: socket.socket | None = None
        self._is_loaded = False
        self._launched_at = math.inf
        self._is_resting = False

    def start(self) -> None:
        """See Child.start; it is ready some time later."""
        self.close()
        self._requests, theirs = socket.socketpair()
        self._requests.settimeout(_LONGEST_FORK_SECONDS)
        self._is_loaded = False
        module = (sys.executable, "-m", "embedded.forkserver")
        arguments = (str(theirs.fileno()), str(os.getpid()), "x" * _ROOM_FOR_COMMAND)
        self.program = replace(self.program, command=(*module, *arguments), listener=theirs)
        with theirs:
            super().start()

    def close(self) -> None:
        """Have it end, if it runs."""
        if self._requests is not None:
            self._requests.close()

    def rest_if_idle(self) -> None:
        """Have it end if it has launched nothing for a while."""
        if self._is_ready() and time.monotonic() - self._launched_at > _REST_SECONDS:
            self._is_resting = True
            self.close()

    def ended(self) -> int | None:
        """See Child.ended; that it rests is no end."""
        status = super().ended()
        return None if self._is_resting and status == 0 else status

    def can_start(self) -> bool:
        """Whether it is to be started: it is not while it rests."""
        return not self._is_resting

    def prepare(self) -> bool:
        """See Launcher.prepare: if it rests, it is to be started."""
        self._is_resting = False
        return self._is_ready()

    def _is_ready(self) -> bool:
        if self.running and not self._is_loaded and self._requests is not None:
            try:
                self._is_loaded = self._requests.recv(64, socket.MSG_DONTWAIT) == forkserver.READY
            except OSError:
                return False
        return self.running and self._is_loaded

    def launch(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        inherited: socket.socket | None,
    ) -> Process:
        """See Launcher.launch."""
        self._launched_at = time.monotonic()
        if self._requests is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        try:
            return Forked(_request(self._requests, command, environment, output, inherited))
        except TimeoutError:
            # It may be half-way through a request.
            self.kill()
            raise


def _request(
    requests: socket.socket,
    command: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes],
    inherited: socket.socket | None,
) -> int:
    """In the supervisor: ask for a process; returns its id. Raises OSError."""
    number = None if inherited is None else inherited.fileno()
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            body = json.dumps(
                {"command": [*command], "environment": {**environment}, "inherited_as": number}
            ).encode()
            descriptors = [theirs.fileno(), output.fileno(), *([] if number is None else [number])]
            socket.send_fds(requests, [forkserver.LENGTH.pack(len(body))], descriptors)
            requests.sendall(body)
        ours.settimeout(_LONGEST_FORK_SECONDS)
        answer = json.loads(ours.recv(256) or b"{}")
        if "pid" not in answer:
            number = answer.get("errno", errno.EIO)
            raise OSError(number, os.strerror(number))
        ours.send(forkserver.GO)
        pid: int = answer["pid"]
        return pid
