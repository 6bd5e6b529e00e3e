"""Looking after the connection of a client that waits."""

import select
import socket


def has_gone(connection: socket.socket | None) -> bool:
    """Whether the client has closed its side. None, a server that does not show it, is not gone."""
    if connection is None:
        return False
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
