"""Doing one thing after the other in a thread, while the next is made ready."""

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

    At most `ahead` calls wait or are made: memory is bounded. `waiting` is called again and again
    by who waits for the thread, and may raise. At the end of the block all calls are made, and the
    thread is gone. If it ends by an error, no more calls are: `interrupt` is to end what is being
    made. A call that `may_stay` is not waited for then, if it takes long.
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
        """Whether a call waits or is being made."""
        return any(not call.done() for call in list(self._calls))

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have `call` made; raises what a call before raised."""
        self.check()
        while len(self._calls) >= self._ahead:
            self._await_first()
        # The thread's log lines tell of the same upload.
        future = self._thread.submit(copy_context().run, call)
        self._calls.append(future)
        return future

    def result(self, call: Future[T]) -> T:
        """What a given call returned, or raised, once it is made."""
        while not wait([call], _LOOK_SECONDS).done:
            self._waiting()
        return call.result()

    def check(self) -> None:
        """Raise what calls that are made already raised."""
        for call in self._calls:
            if call.done():
                call.result()

    def finish(self) -> None:
        """Return when all calls are made; raises what they raised."""
        while self._calls:
            self._await_first()

    def _await_first(self) -> None:
        # It counts as being made until it is.
        self.result(self._calls[0])
        self._calls.popleft()
