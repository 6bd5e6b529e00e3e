"""gunicorn's threaded worker, in which a client gets a thread only for a request that is there.

By itself gunicorn waits in a thread for the first byte, for the rest of a head and for each piece
of a body, lingers over closing connections in its one loop, and keeps everybody out once it has
1,000 connections, whatever they do. Here the loop reads the heads and lingers; what a thread waits
for is bounded by muster.http.client. What is gunicorn's own is its parser, its responses, and how
processes are started and stopped.
https://github.com/benoitc/gunicorn/blob/master/gunicorn/workers/gthread.py
"""

import errno
import os
import resource
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, cast

from gunicorn.errors import AppImportError
from gunicorn.glogging import Logger
from gunicorn.http import get_parser
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from muster.adapters import ConfigurationError
from muster.backends.servers import require_servers
from muster.http.client import ACCEPT_PAUSES, CUT_OFF, ClientSocket, SlowClients
from muster.http.connections import ClientConnection, IdleConnections
from muster.http.doorway import IS_POSSIBLE, ConnectionLost, DoorShut, Doorway
from muster.http.early_responses import CloseAfterEarlyResponses
from muster.http.error_responses import early_error, error_response, status_of
from muster.http.service import Background, FacesClients, Health, provided
from muster.http.settings import ServerSettings
from muster.http.waiting import WaitingRequests, WaitingState

if TYPE_CHECKING:
    from gunicorn.http.message import Request

_READ_BYTES = 16 * 1024
_ACCEPTS_AT_ONCE = 64
_LOOK_SECONDS = 1.0
# Of all requests that are not there yet.
_MOST_BYTES = 16 * 1024 * 1024
# For files, databases and the services behind.
_OTHER_FILES = 512
_IDLE_SECONDS_AT_STOP = 2.0
_DOOR_SECONDS = 2.0
# Without room for one more, a connection is asked for again after so long.
_CROWDED_SECONDS = 0.25
_CROWDED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BROKEN = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF})


class Worker(ThreadWorker):
    """A worker whose threads come back from every client."""

    _accepting: bool

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.configure(ServerSettings())
        self._idle = IdleConnections()
        self._begin_background: Callable[[], Event] = Event
        self._bytes = 0
        self._looked_at = 0.0
        self._is_orphan = False
        self._doorway: Doorway | None = None
        self._refused_at_the_door = 0
        self.has_door = False
        self._crowded_until = 0.0

    def configure(self, settings: ServerSettings) -> None:
        """Go by these settings; only before it serves."""
        self._settings = settings
        self._places = SlowClients(settings)
        self._waiting = WaitingRequests(WaitingState.private(settings.max_waiting_seconds))
        self.worker_connections = _allow_files(settings.max_connections)

    def load_wsgi(self) -> None:
        """Make the app; one that is misconfigured ends gunicorn with that sentence alone."""
        try:
            super().load_wsgi()
            app: Any = self.wsgi
            require_servers(provided(app, Health).dependencies)
            self.has_door = FacesClients.does(app)
            self._begin_background = partial(Background.begin, app)
        except ConfigurationError as error:
            raise AppImportError(str(error)) from error
        self.wsgi = cast(Any, CloseAfterEarlyResponses(app))

    def run(self) -> None:
        """Serve until told to stop; then answer whoever was let in."""
        queue = self.method_queue
        self.poller.register(cast(int, queue.fileno()), selectors.EVENT_READ, queue.run_callbacks)
        if self.has_door and IS_POSSIBLE:
            self._open_door()
        self.set_accept_enabled(True)
        stop_background = self._begin_background()
        while self.alive and not self._is_orphan:
            self._turn(_CROWDED_SECONDS if self._is_crowded else _LOOK_SECONDS)
            self.set_accept_enabled(self._has_room)
        stop_background.set()
        self._stop()

    def _open_door(self) -> None:
        refusal = early_error("busy", self._settings)
        try:
            self._doorway = Doorway(self.sockets, self._settings.max_waiting_seconds, refusal)
        except OSError as error:
            self.log.warning("There is no door: %s", error)
        else:
            self._waiting = WaitingRequests(self._doorway.state)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Have connections come, from the door if there is one, or have them wait."""
        if self._doorway is None:
            super().set_accept_enabled(enabled)
        elif enabled != self._accepting:
            self._accepting = bool(enabled)
            if enabled:
                channel = self._doorway.channel
                self.poller.register(channel, selectors.EVENT_READ, self._take_arrivals)
            else:
                self.poller.unregister(self._doorway.channel)

    def _take_arrivals(self, _channel: Any) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            if not (self._has_room and self._take_arrival()):
                return

    def _take_arrival(self) -> bool:
        if self._doorway is None:
            return False
        try:
            # Else the kernel would close the connection that comes.
            os.close(os.dup(self._doorway.channel.fileno()))
            taken = self._doorway.take()
        except OSError as error:
            self._make_room_for_files(error)
            return False
        except DoorShut:
            self._leave_door()
            return False
        except ConnectionLost:
            return True
        if taken is None:
            return False
        number, arrival = taken
        port = self.sockets[arrival.port]
        connection = self._connect(number, port, arrival.address)
        connection.is_let_in = arrival.is_let_in
        self._listen_to(connection, arrival.data)
        return True

    def _leave_door(self) -> None:
        """The ports are this process's again, which is slower to refuse, and else the same."""
        if self._doorway is not None:
            self.set_accept_enabled(False)
            self._count_refusals(self._doorway)
            self._doorway.close()
            self._doorway = None

    def _count_refusals(self, doorway: Doorway) -> None:
        refused = doorway.state.refused
        CUT_OFF.labels("busy").inc(refused - self._refused_at_the_door)
        self._refused_at_the_door = refused

    def _turn(self, seconds: float) -> None:
        self.wait_for_and_dispatch_events(seconds)
        now = time.monotonic()
        if now - self._looked_at > min(seconds, _LOOK_SECONDS) / 2:
            self._looked_at = now
            self._is_orphan = not self.is_parent_alive()
            self.notify()
            if self._doorway is not None:
                self._count_refusals(self._doorway)
            for connection in [each for each in self._idle if each.deadline <= now]:
                self._expire(connection)

    def _stop(self) -> None:
        """Leave the port: new clients are refused, and go elsewhere.

        The arbiter has closed the port by then, which it does before it tells its workers to stop.
        """
        end = time.monotonic() + _DOOR_SECONDS
        while self._doorway is not None and time.monotonic() < end:
            self._doorway.shut()
            self.set_accept_enabled(True)
            self._turn(0.1)
        self._leave_door()
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.setblocking(False)
            while self._accept_one(listener):
                pass
            listener.close()
        for connection in self._idle:
            self._shorten(connection)
        end = time.monotonic() + self.cfg.graceful_timeout
        while self.nr_conns > 0 and time.monotonic() < end:
            self._turn(0.1)
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    @property
    def _has_room(self) -> bool:
        if self._is_crowded:
            return False
        return self.nr_conns < self.worker_connections or self._idle.first_to_go() is not None

    @property
    def _is_crowded(self) -> bool:
        """Whether there was no room for one more connection a moment ago."""
        return time.monotonic() < self._crowded_until

    def accept(self, listener: Any) -> None:
        """Accept connections that wait at the port."""
        for _ in range(_ACCEPTS_AT_ONCE):
            if not (self._has_room and self._accept_one(listener)):
                return

    def _accept_one(self, listener: Any) -> bool:
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                self._make_room_for_files(error)
            return False
        self._listen_to(self._connect(accepted.detach(), listener, client))
        return True

    def _make_room_for_files(self, error: OSError) -> None:
        """Whoever waits is let in later; raises any error that says something else.

        Trying again at once would fail, again and again, and cost every idle connection.
        """
        if error.errno not in _CROWDED:
            raise error
        ACCEPT_PAUSES.inc()
        self._crowded_until = time.monotonic() + _CROWDED_SECONDS
        self._make_room()

    def _connect(self, number: int, listener: socket.socket, client: Any) -> ClientConnection:
        self.nr_conns += 1
        if self.nr_conns > self.worker_connections:
            self._make_room()
        address = client[0] if isinstance(client, tuple) else ""
        sock = ClientSocket(listener.family, number, address, self._places)
        connection = ClientConnection(sock, client, listener.getsockname())
        connection.await_request(self._settings)
        self._enter(connection)
        return connection

    def _listen_to(self, connection: ClientConnection, data: bytes = b"") -> None:
        """Take what was read of it already, or what has come: most have sent their request."""
        if data:
            self._take(connection, data)
        else:
            self._read(connection, connection.sock)
        if connection in self._idle:
            self._poll(connection)

    def _make_room(self) -> None:
        connection = self._idle.first_to_go()
        if connection is not None:
            CUT_OFF.labels("full").inc()
            self._close(connection)

    def _watch(self, connection: ClientConnection) -> None:
        self._enter(connection)
        self._poll(connection)

    def _enter(self, connection: ClientConnection) -> None:
        if not self.alive:
            self._shorten(connection)
        self._idle.add(connection)
        self._bytes += len(connection.head)

    def _poll(self, connection: ClientConnection) -> None:
        if not connection.is_polled:
            connection.is_polled = True
            read = partial(self._read, connection)
            self.poller.register(connection.sock, selectors.EVENT_READ, read)

    def _unpoll(self, connection: ClientConnection) -> None:
        if connection.is_polled:
            connection.is_polled = False
            self.poller.unregister(connection.sock)

    @staticmethod
    def _shorten(connection: ClientConnection) -> None:
        # A client may be sending its next request already; it is answered, and told to close.
        if not connection.head:
            end = time.monotonic() + _IDLE_SECONDS_AT_STOP
            connection.deadline = min(connection.deadline, end)

    def _leave(self, connection: ClientConnection) -> None:
        self._idle.remove(connection)
        self._bytes -= len(connection.head)

    def _read(self, connection: ClientConnection, _sock: Any) -> None:
        if connection not in self._idle:
            # Closed in this turn, to make room; or a thread has it, which seldom meets more bytes:
            # so it is polled until then, rather than registered anew after each request.
            self._unpoll(connection)
            return
        try:
            data = connection.sock.recv_now(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
        elif connection.lingers:
            connection.throw_away(len(data))
        else:
            self._take(connection, data)

    def _take(self, connection: ClientConnection, data: bytes) -> None:
        connection.take(data, self._settings)
        self._bytes += len(data)
        if connection.head_bytes > self._settings.max_head_bytes:
            self._refuse(connection, "head-size")
        elif connection.has_request:
            if self._is_to_be_refused(connection):
                self._refuse(connection, "busy")
                return
            self._leave(connection)
            self._hand_over(connection)
        elif self._bytes > _MOST_BYTES:
            self._refuse(max(self._idle, key=lambda each: len(each.head)), "full")

    def _is_to_be_refused(self, connection: ClientConnection) -> bool:
        is_let_in, connection.is_let_in = connection.is_let_in, False
        return self._waiting.is_too_long and not (is_let_in or connection.asks_how_it_is)

    def _expire(self, connection: ClientConnection) -> None:
        if connection.head and not connection.lingers:
            self._refuse(connection, "body-time" if connection.has_head else "head-time")
            return
        if not connection.lingers:
            CUT_OFF.labels("idle").inc()
        self._close(connection)

    def _refuse(self, connection: ClientConnection, reason: str) -> None:
        CUT_OFF.labels(reason).inc()
        self._leave(connection)
        connection.sock.send_now(early_error(reason, self._settings))
        if connection.has_come_whole:
            # Nothing is left unread. Refusing must cost little: those who come may be very many.
            self._end(connection)
        else:
            self._linger(connection)

    def _linger(self, connection: ClientConnection) -> None:
        try:
            connection.linger()
        except OSError:
            self._end(connection)
        else:
            self._watch(connection)

    def _close(self, connection: ClientConnection) -> None:
        self._leave(connection)
        self._end(connection)

    def _end(self, connection: ClientConnection) -> None:
        self._unpoll(connection)
        self.nr_conns -= 1
        connection.sock.close()

    def _hand_over(self, connection: ClientConnection) -> None:
        connection.sock.begin_request(takes_interim=connection.takes_interim)
        self._waiting.enter()
        self.tpool.submit(self._answer_in_turn, connection)

    def _go_on(self, connection: ClientConnection, may_follow: bool) -> None:
        """In the loop again: wait for the next request, or for the other end to close."""
        if not may_follow:
            self._linger(connection)
            return
        connection.await_request(self._settings)
        if connection.has_request:
            self._hand_over(connection)
        else:
            self._watch(connection)

    def _answer_in_turn(self, connection: ClientConnection) -> None:
        may_follow = False
        try:
            may_follow = self._answer(connection)
        finally:
            self.method_queue.defer(self._go_on, connection, may_follow)

    def _answer(self, connection: ClientConnection) -> bool:
        """In a thread: answer the request that is there. Returns whether another may follow."""
        self._waiting.leave()
        if connection.sock.has_left():
            CUT_OFF.labels("gone").inc()
            return False
        try:
            answered: bool = self.handle_request(self._parse(connection), cast(Any, connection))
            return answered
        except (NoMoreData, StopIteration) as error:
            self.log.debug("The connection ends: %s", error)
        except OSError as error:
            if error.errno not in _BROKEN:
                self.log.exception("The connection failed.")
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread goes on
            self._fail(connection.sock, error)
        finally:
            connection.sock.end_request()
        return False

    def _parse(self, connection: ClientConnection) -> "Request":
        if connection.parser is None:
            connection.parser = get_parser(self.cfg, connection.sock, connection.client)
        connection.parser.unreader.unread(bytes(connection.head))
        connection.head = bytearray()
        request: Request = next(connection.parser)
        return request

    def _fail(self, sock: ClientSocket, error: Exception) -> None:
        if status_of(error) == 500:
            self.log.exception("A request failed.")
        else:
            self.log.warning("A request can't be parsed: %s", error)
        sock.send_now(error_response(error))


def _allow_files(connections: int) -> int:
    """Raise the limit of open files for so many; returns how many connections there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        return min(connections, max(soft - _OTHER_FILES, soft // 2))
    return connections


class ServerLog(Logger):
    """gunicorn's log without its lines for requests: a service writes its own, with more in it.

    By itself gunicorn puts together what such a line needs even if its level leaves it out.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing."""
