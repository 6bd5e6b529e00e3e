"""How long the load of an upload works, in all processes that had it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dbuploader.clock import process_time
from muster.weather import DiskUnavailable, Unavailable

T = TypeVar("T")

_KEEP_SECONDS = 10.0


class TooSlow(Exception):
    """The load has worked for as long as one may."""


class WorkTime:
    """The seconds that the load of one upload has worked, those of earlier processes included.

    What counts is reading, checking, looking up and writing, in this process or in the server it
    waits for; not waiting for a server that is away, or for room on the disk, nor a pass over the
    file that was ended because of that. `keep` is given the seconds every now and then, for
    whoever comes next.
    """

    def __init__(
        self,
        most: float,
        keep: Callable[[float], None],
        clock: Callable[[], float] = process_time,
    ) -> None:
        self.most = most
        self._keep = keep
        self._clock = clock
        self._counted = self._kept = self._before_pass = 0.0
        self._since: float | None = None
        self._may_keep = True

    def resume(self, seconds: float) -> None:
        """Earlier attempts have worked for so long."""
        self._counted = self._kept = self._before_pass = seconds

    @property
    def seconds(self) -> float:
        """How long the load has worked so far."""
        running = 0.0 if self._since is None else self._clock() - self._since
        return self._counted + running

    @contextmanager
    def opening(self) -> Iterator[None]:
        """What a pass needs is asked for: if it is away, the pass before was ended by that."""
        try:
            yield
        except Unavailable:
            self._counted = self._before_pass
            raise
        self._before_pass = self._counted

    @contextmanager
    def running(self) -> Iterator[None]:
        """The time of the block counts, unless it ends for want of room on the disk."""
        self._since = self._clock()
        try:
            yield
        except DiskUnavailable:
            self._counted, self._since = self._before_pass, None
            raise
        finally:
            self._counted, self._since = self.seconds, None

    @contextmanager
    def writing(self, *, alone: bool) -> Iterator[None]:
        """A write transaction is open, in which nobody else can write if it is `alone`."""
        self._may_keep = not alone
        try:
            yield
        finally:
            self._may_keep = True

    def of_last(self, call: Callable[[], T]) -> Callable[[], T]:
        """The call, for who makes it again as long as it fails: no time counts but the last's."""
        before = self.seconds

        def again() -> T:
            if self._since is not None:
                self._counted, self._since = before, self._clock()
            return call()

        return again

    def check(self) -> None:
        """Keep the time now and then; raises TooSlow when it is used up."""
        seconds = self.seconds
        if self._may_keep and seconds - self._kept >= _KEEP_SECONDS:
            self._kept = seconds
            self._keep(seconds)
        if seconds > self.most:
            raise TooSlow
