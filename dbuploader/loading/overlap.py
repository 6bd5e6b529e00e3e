"""Giving rows to the database while the next ones are read and checked."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from types import TracebackType
from typing import Self

import pyarrow as pa

_LOOK_SECONDS = 0.2


class Overlap:
    """Calls `take` with one batch after the other, in a thread of its own.

    One batch may wait while another is taken: memory is bounded. `waiting` is called again and
    again by who waits for the thread, and may raise. At the end of the block everything is taken,
    or nothing more is, if it ends by an error; the thread is gone in either case.
    """

    def __init__(self, take: Callable[[pa.RecordBatch], None], waiting: Callable[[], None]) -> None:
        self._take = take
        self._waiting = waiting
        self._thread = ThreadPoolExecutor(1, "database")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish_pending()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def give(self, rows: pa.RecordBatch) -> None:
        """Have `rows` taken next; raises what `take` raised for those before."""
        self._finish_pending()
        # The thread's log lines tell of the same upload.
        self._pending = self._thread.submit(copy_context().run, self._take, rows)

    def _finish_pending(self) -> None:
        if self._pending is None:
            return
        while not wait([self._pending], _LOOK_SECONDS).done:
            self._waiting()
        self._pending.result()
