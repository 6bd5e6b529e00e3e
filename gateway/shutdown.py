"""Noticing that the server has been told to stop."""

import signal
import threading
from types import FrameType


def event_at_shutdown() -> threading.Event:
    """An event that is set when the process is told to stop by a signal that its server handles.

    gunicorn lets requests end within its grace period but does not tell them; those that wait ought
    to end at once. The server's own handlers still run. Signals that nobody handles stay so.
    """
    stopping = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            _chain(number, stopping)
    return stopping


def _chain(number: signal.Signals, stopping: threading.Event) -> None:
    handler = signal.getsignal(number)
    if not callable(handler) or handler is signal.default_int_handler:
        return

    def handle(received: int, frame: FrameType | None) -> None:
        stopping.set()
        handler(received, frame)

    signal.signal(number, handle)
    # A signal restarts a call that it interrupts, as gunicorn sets it for its own handlers.
    signal.siginterrupt(number, False)
