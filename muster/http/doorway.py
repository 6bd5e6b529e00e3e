"""A service's end of its door (muster.http.door), which it starts and takes connections from."""

import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from muster.http.door import READ_BYTES, Arrival
from muster.http.waiting import STATE_BYTES, WaitingState

_BACKLOG_BYTES = 1024 * 1024
_END_SECONDS = 2.0
# The kinds of memory and of socket that they share are Linux's.
IS_POSSIBLE = sys.platform == "linux"


class DoorShut(Exception):
    """Nothing more comes from the door."""


class ConnectionLost(Exception):
    """A connection came for which no descriptor was left; the kernel has closed it."""


class Doorway:
    """A door before `ports`, of a service in which a request may wait `most_seconds` in a burst.

    It sends `refusal` to whom it refuses, each time with an id of its own. `state` is what both
    know of the requests that wait.
    """

    def __init__(self, ports: Sequence[socket.socket], most_seconds: float, refusal: bytes) -> None:
        memory = os.memfd_create("door")
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            os.truncate(memory, STATE_BYTES)
            self.state = WaitingState(mmap.mmap(memory, STATE_BYTES), most_seconds)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BACKLOG_BYTES)
            files = (theirs.fileno(), memory, *(port.fileno() for port in ports))
            command = [sys.executable, "-m", "muster.http.door", str(most_seconds)]
            # Nothing of this process's environment: there are secrets in it.
            path = {"PYTHONPATH": str(Path(__file__).parents[2])}
            # Where Linux weighs sessions, by sched(7), it would wait for its turn with all threads
            # of this one.
            self._process = subprocess.Popen(
                [*command, *(str(file) for file in files)],
                pass_fds=files,
                env=path,
                start_new_session=True,
            )
        os.close(memory)
        self.channel.send(refusal)
        self.channel.setblocking(False)

    def take(self) -> tuple[int, Arrival] | None:
        """The descriptor of the next connection, and how it came; None if there is none now.

        Raises DoorShut, and ConnectionLost.
        """
        try:
            message, connections, _, _ = socket.recv_fds(self.channel, 2 * READ_BYTES, 1)
        except BlockingIOError:
            return None
        except OSError as error:
            raise DoorShut from error
        if not message:
            raise DoorShut
        self.state.take()
        if not connections:
            raise ConnectionLost
        return connections[0], Arrival.from_message(message)

    def shut(self) -> None:
        """Have it leave the ports: what it has still comes, and then DoorShut."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it."""
        self.channel.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
