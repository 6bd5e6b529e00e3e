"""Wakes a consumer that waits for its queue, in whichever process it is: a FIFO beside the file."""

import os
import select
from contextlib import suppress
from pathlib import Path

from muster.broker import BrokerUnavailable


class Doorbell:
    """The consumer's end, open from its making until `close`."""

    def __init__(self, path: Path) -> None:
        try:
            with suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            # Open for writing too, or it would be at its end whenever no publisher has it open.
            self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            raise BrokerUnavailable(str(error)) from error

    def wait(self, seconds: float) -> None:
        """Return when it rings, or rang since the last call, or after `seconds`."""
        if select.select([self._descriptor], [], [], seconds)[0]:
            os.read(self._descriptor, 65536)

    def close(self) -> None:
        """Hear it no more."""
        os.close(self._descriptor)


def ring(path: Path) -> None:
    """Wake the consumer at `path`, if there is one; never blocks."""
    # It only hastens: with nobody listening, or a full FIFO, there is nothing to do.
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, b"!")
        finally:
            os.close(descriptor)
