"""A thread that makes one call after the other, while the caller prepares the next."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.2
_LONGEST_END_SECONDS = 0.5


class BackgroundWorker:
    """Makes one call after the other, in a thread of its own.

    At most `ahead` calls wait or run, so that memory is bounded. A caller that waits for the thread
    calls `waiting` repeatedly, which may raise. When the block ends, all calls are made and the
    thread is gone. If it ends by an error, waiting calls are dropped, and `interrupt` is called to
    end the running one; with `may_stay`, that one is left to itself if it takes long.
    """

    def __init__(
        self,
        waiting: Callable[[], None] = lambda: None,
        *,
        interrupt: Callable[[], None] = lambda: None,
        ahead: int = 1,
        may_stay: bool = False,
    ) -> None:
        self._waiting = waiting
        self._interrupt = interrupt
        self._ahead = ahead
        self._may_stay = may_stay
        self._thread = ThreadPoolExecutor(1)
        self._calls: deque[Future[Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._end()

    def _end(self) -> None:
        for call in self._calls:
            call.cancel()
        if self.busy:
            self._interrupt()
        if self._may_stay:
            wait(self._calls, _LONGEST_END_SECONDS)
        self._thread.shutdown(wait=not self._may_stay)

    @property
    def busy(self) -> bool:
        """Whether a call waits or runs."""
        return any(not call.done() for call in list(self._calls))

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have `call` made; raises what an earlier call raised."""
        self.check()
        while len(self._calls) >= self._ahead:
            self._await_first()
        # The thread's log lines name the same upload.
        future = self._thread.submit(copy_context().run, call)
        self._calls.append(future)
        return future

    def result(self, call: Future[T]) -> T:
        """What a submitted call returned or raised, once it is made."""
        while not wait([call], _LOOK_SECONDS).done:
            self._waiting()
        return call.result()

    def check(self) -> None:
        """Raise what calls that are already made raised."""
        for call in self._calls:
            if call.done():
                call.result()

    def finish(self) -> None:
        """Return when all calls are made; raises what they raised."""
        while self._calls:
            self._await_first()

    def _await_first(self) -> None:
        # It counts as running until it is done.
        self.result(self._calls[0])
        self._calls.popleft()
