"""Looking after the connection of a client that waits."""

import select
import socket


def has_gone(connection: socket.socket | None) -> bool:
    """Whether the client has closed its side. None, a server that does not show it, is not gone."""
    if connection is None:
        return False
    try:
        # Not select(), which takes no file descriptor beyond 1023.
        readable = select.poll()
        readable.register(connection, select.POLLIN)
        return bool(readable.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
