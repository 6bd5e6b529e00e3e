"""Ports of 127.0.0.1 that stay the suite's while a child is down."""

import errno
import socket

from embedded.errors import StartError

HOST = "127.0.0.1"
BACKLOG = 2048


def listen(port: int) -> socket.socket:
    """A listening socket for a child to inherit; port 0 takes a free one.

    The supervisor holds it too: while its child starts again, callers wait in the backlog instead
    of being refused. Raises StartError when the port is taken.
    """
    listener = _bind(port)
    listener.listen(BACKLOG)
    return listener


def reserve() -> socket.socket:
    """A bound socket that keeps a free port from others, for a child that binds it itself.

    Only a socket with SO_REUSEADDR can bind the same port, and no bind to port 0 is given it.
    """
    return _bind(0)


def port_of(bound: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = bound.getsockname()[1]
    return port


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        why = "in use" if error.errno == errno.EADDRINUSE else f"not to be had ({error.strerror})"
        raise StartError(
            f"Port {port} is {why}: set MUSTER_PORT to another one, or to 0 for a free one."
        ) from error
    return bound
