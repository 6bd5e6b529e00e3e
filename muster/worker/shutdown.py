"""Shutdown on a signal: the handler only sets an event, which the work checks."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterable
from types import FrameType


class Stopped(Exception):
    """The process was asked to stop: the work is left to the next process."""


def on_signal(
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> threading.Event:
    """An event that is set once the process gets one of `signals`. For the main thread only."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        # This thread may be waiting for the event, and hold its lock at just this moment: it would
        # then wait for itself.
        _thread.start_new_thread(stop.set, ())

    for number in signals:
        signal.signal(number, handle)
    return stop


def exit_on_sigterm() -> None:
    """Have SIGTERM end this process, which has nothing to finish. For the main thread only.

    The first process of a container has no such default: it would be killed half a minute later.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
