"""A process that is told to stop does so, at whatever moment it is told."""

import signal

import pytest

from muster.worker.shutdown import on_signal


@pytest.mark.timeout(60)
def test_a_signal_is_heard_by_a_thread_that_holds_the_lock_of_its_event() -> None:
    before = signal.getsignal(signal.SIGUSR2)
    stop = on_signal([signal.SIGUSR2])
    try:
        # As `wait` does for a moment, whenever it begins and whenever it ends.
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGUSR2)
        assert stop.wait(30)
    finally:
        signal.signal(signal.SIGUSR2, before)
