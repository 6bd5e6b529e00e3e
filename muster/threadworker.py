"""gunicorn's threaded worker, for clients that stall where the application can't see them.

By itself it waits for the rest of a request's head without end, so that a few connections with half
a head hold all threads; it lingers over closing connections in its one loop, so that they hold up
everybody; and while it stops, connections wait at its port only to be reset in the end. https://github.com/benoitc/gunicorn/blob/master/gunicorn/workers/gthread.py
"""

import os
import socket
import struct
from contextlib import suppress
from typing import Any

from gunicorn.errors import AppImportError
from gunicorn.workers.gthread import TConn, ThreadWorker

from muster.adapters import ConfigurationError
from muster.servers import require_servers
from muster.service import AT_START

_READ_SECONDS = float(os.environ.get("MUSTER_READ_TIMEOUT_SECONDS", "30"))
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024


class Worker(ThreadWorker):
    """A worker whose threads come back from every client."""

    def init_process(self) -> None:
        """Give every connection a time to send in: the accepted ones inherit the listener's."""
        for listener in self.sockets:
            timeout = struct.pack("ll", int(_READ_SECONDS), int(_READ_SECONDS % 1 * 1_000_000))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        super().init_process()

    def load_wsgi(self) -> None:
        """Make the app; one that is misconfigured ends gunicorn with that sentence alone."""
        try:
            super().load_wsgi()
            app: Any = self.wsgi
            require_servers(app.extensions[AT_START])
        except ConfigurationError as error:
            raise AppImportError(str(error)) from error

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Also leave the port when the worker stops: who comes then is refused, and goes elsewhere.

        The arbiter has closed the port by then, which it does before it tells its workers to stop.
        """
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for listener in self.sockets:
                self._let_in_who_waits(listener)
                listener.close()

    def _let_in_who_waits(self, listener: Any) -> None:
        listener.setblocking(False)
        let_in = -1
        while self.nr_conns != let_in:
            let_in = self.nr_conns
            self.accept(listener)

    def handle(self, conn: TConn) -> Any:
        """Answer a request; when that was the connection's last, linger here, not in the loop."""
        outcome = super().handle(conn)
        if outcome is False:
            _linger(conn.sock)
        return outcome


def _linger(connection: socket.socket) -> None:
    # RFC 9112, section 9.6: a close with bytes unread would reset what was answered last. After
    # this the loop finds the stream ended, and closes at once.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_LINGER_SECONDS)
        left = _LINGER_BYTES
        while left > 0 and (received := connection.recv(min(4096, left))):
            left -= len(received)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
