"""Shutdown on a signal: the handler only sets an event, which the work checks."""

import signal
import sys
import threading
from collections.abc import Iterable


class Stopped(Exception):
    """The process was asked to stop: the work is left to the next process."""


def on_signal(
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> threading.Event:
    """An event that is set once the process gets one of `signals`. For the main thread only."""
    stop = threading.Event()
    for number in signals:
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def exit_on_sigterm() -> None:
    """Have SIGTERM end this process, which has nothing to finish. For the main thread only.

    The first process of a container has no such default: it would be killed half a minute later.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
