"""`python -m muster.http.door`: takes a service's connections, and refuses what it can't answer.

The threads of a process take turns at its interpreter. While many are at work, its loop waits for a
turn several times for each connection, and would keep those for seconds that are to be refused at
once. The door is a process of its own, which waits for nobody. It hands on each connection as it
comes. While requests wait for too long (muster.http.waiting) it looks at what comes first, and
refuses what is a whole request without a body. All else the service decides.

The service starts it (muster.http.doorway), shuts it, and takes over where it ends. They share a
socket, over which connections go, the ports, and the numbers of those that wait.
"""

import argparse
import mmap
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from muster.http.heads import HEAD_END, asks_how_it_is, has_no_body
from muster.http.waiting import STATE_BYTES, WaitingState

READ_BYTES = 16 * 1024
_ACCEPTS_AT_ONCE = 64
# A request comes with its connection, or soon; slow clients are for the service.
_FIRST_BYTES_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_HELD_LOOK_SECONDS = 0.01
_NO_ROOM_SECONDS = 0.25
_ID_BYTES = 16


class Arrival(NamedTuple):
    """A connection as it is handed on: by which port it came, from where, what was read of it.

    Its first request is let in, or else the service decides.
    """

    port: int
    address: tuple[str, int] | str
    is_let_in: bool
    data: bytes

    def to_message(self) -> bytes:
        """What goes over the socket."""
        where = " ".join(str(each) for each in self.address) if self.address else ""
        return f"{self.port} {self.is_let_in:d} {where}\n".encode() + self.data

    @classmethod
    def from_message(cls, message: bytes) -> "Arrival":
        """What has come over the socket."""
        head, _, data = message.partition(b"\n")
        port, is_let_in, host, *rest = head.decode().split(" ")
        return cls(int(port), (host, int(rest[0])) if rest else "", is_let_in == "1", data)


class Doorkeeper:
    """Stands at the door, in its one thread."""

    def __init__(
        self,
        channel: socket.socket,
        state: WaitingState,
        ports: Sequence[socket.socket],
    ) -> None:
        self._channel = channel
        self._state = state
        self._ports = ports
        self._selector = selectors.DefaultSelector()
        # Those that have said nothing yet, in their order.
        self._silent: dict[socket.socket, _Caller] = {}
        self._held: deque[tuple[Arrival, socket.socket]] = deque()
        # When those were handed on that the service has not taken yet.
        self._handed_on: deque[float] = deque()
        self._count = 0
        self._rests_until: float | None = None
        self._is_shut = False

    def run(self) -> None:
        """Keep the door until the service shuts it, or is gone."""
        self._refusal = _Refusal(self._channel.recv(READ_BYTES))
        self._channel.setblocking(False)
        self._selector.register(self._channel, selectors.EVENT_READ, self._shut)
        self._open_ports()
        while not self._is_shut:
            for key, _ in self._selector.select(
                _HELD_LOOK_SECONDS if self._held else _LOOK_SECONDS
            ):
                key.data()
            self._hand_on_held()
            self._let_go(before=time.monotonic() - _FIRST_BYTES_SECONDS)
            if self._rests_until is not None and time.monotonic() > self._rests_until:
                self._open_ports()
        self._let_go(before=time.monotonic())
        self._channel.setblocking(True)
        self._hand_on_held()

    def _shut(self) -> None:
        # Nothing is said to the door: this is the end of the service, or of its need for a door.
        self._is_shut = True

    def _open_ports(self) -> None:
        self._rests_until = None
        for number, port in enumerate(self._ports):
            port.setblocking(False)
            self._selector.register(port, selectors.EVENT_READ, partial(self._accept, number))

    def _rest(self) -> None:
        """There is no room for one more: they wait at the ports."""
        self._rests_until = time.monotonic() + _NO_ROOM_SECONDS
        for port in self._ports:
            self._selector.unregister(port)

    def _accept(self, port: int) -> None:
        if self._rests_until is not None:
            return
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, address = self._ports[port].accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self._rest()
                return
            where = address[:2] if isinstance(address, tuple) else ""
            self._meet(_Caller(connection, port, where, time.monotonic()))

    def _meet(self, caller: "_Caller") -> None:
        if not self._is_too_long(caller.since):
            self._hand_on(caller, is_let_in=True)
            return
        caller.connection.setblocking(False)
        if not self._hear(caller):
            self._silent[caller.connection] = caller
            hear = partial(self._hear_first, caller)
            self._selector.register(caller.connection, selectors.EVENT_READ, hear)

    def _is_too_long(self, now: float) -> bool:
        """Whether one more would wait too long, behind those that the service has not taken yet."""
        on_their_way = self._count - self._state.taken
        while len(self._handed_on) > on_their_way:
            self._handed_on.popleft()
        since = self._handed_on[0] if self._handed_on else now
        return self._state.is_too_long(now, on_their_way + len(self._held), since)

    def _hear_first(self, caller: "_Caller") -> None:
        self._forget(caller)
        if not self._hear(caller):
            self._hand_on(caller)

    def _hear(self, caller: "_Caller") -> bool:
        """Whether something has come, and the caller is dealt with."""
        try:
            data = caller.connection.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            caller.connection.close()
        elif not _may_be_refused(data):
            self._hand_on(caller, data=data)
        elif not self._is_too_long(time.monotonic()):
            self._hand_on(caller, data=data, is_let_in=True)
        else:
            self._state.refuse()
            with suppress(OSError):
                caller.connection.send(self._refusal.anew())
            # Nothing is left unread, so that the kernel resets nothing.
            caller.connection.close()
        return True

    def _forget(self, caller: "_Caller") -> None:
        self._selector.unregister(caller.connection)
        del self._silent[caller.connection]

    def _let_go(self, before: float) -> None:
        for caller in list(self._silent.values()):
            if caller.since > before:
                return
            self._forget(caller)
            self._hand_on(caller)

    def _hand_on(self, caller: "_Caller", *, data: bytes = b"", is_let_in: bool = False) -> None:
        arrival = Arrival(caller.port, caller.address, is_let_in, data)
        self._held.append((arrival, caller.connection))
        self._hand_on_held()

    def _hand_on_held(self) -> None:
        while self._held:
            arrival, connection = self._held[0]
            try:
                socket.send_fds(self._channel, [arrival.to_message()], [connection.fileno()])
            except BlockingIOError:
                return
            except OSError:
                # The service is gone, and with it whoever could answer.
                self._is_shut = True
                self._held.clear()
                return
            self._held.popleft()
            self._count += 1
            self._handed_on.append(time.monotonic())
            connection.close()


class _Caller(NamedTuple):
    connection: socket.socket
    port: int
    address: tuple[str, int] | str
    since: float


class _Refusal:
    """The answer to whoever is refused; each names its own request."""

    def __init__(self, example: bytes) -> None:
        head = b"X-Request-Id: "
        start = example.index(head) + len(head)
        self._pieces = example.split(example[start : example.index(b"\r", start)])

    def anew(self) -> bytes:
        """With an id of its own."""
        return os.urandom(_ID_BYTES).hex().encode().join(self._pieces)


def _may_be_refused(data: bytes) -> bool:
    whole = has_no_body(data) and data.find(HEAD_END) == len(data) - len(HEAD_END)
    return whole and not asks_how_it_is(data)


def main() -> None:
    """Run until the service ends, which alone decides when."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="python -m muster.http.door", description=__doc__)
    parser.add_argument("seconds", type=float, help="how long a request may wait in a burst")
    parser.add_argument("channel", type=int, help="the descriptor of the socket to the service")
    parser.add_argument("memory", type=int, help="that of the numbers they share")
    parser.add_argument("ports", type=int, nargs="+", help="those of the ports")
    arguments = parser.parse_args()
    state = WaitingState(mmap.mmap(arguments.memory, STATE_BYTES), arguments.seconds)
    ports = [socket.socket(fileno=port) for port in arguments.ports]
    Doorkeeper(socket.socket(fileno=arguments.channel), state, ports).run()


if __name__ == "__main__":
    main()
