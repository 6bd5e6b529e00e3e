"""Being asked to stop: a signal only sets an event, and whoever works looks at it."""

import signal
import threading
from collections.abc import Iterable


def stop_on(signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> threading.Event:
    """An event that is set once the process gets one of `signals`. For the main thread only."""
    stop = threading.Event()
    for number in signals:
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
