"""How the loader waits for a backend that is away: as long as it takes, or until it must stop."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from dbuploader.uploads.outcome import waiting_for
from muster.contracts.uploads import Failure
from muster.weather import Unavailable
from muster.worker.retry import RetryPolicy

log = structlog.get_logger(__name__)

T = TypeVar("T")

_POLICY = RetryPolicy(first=timedelta(seconds=0.1), longest=timedelta(seconds=5))


class LoadRetry:
    """Repeats a call, less and less often, while what it needs is Unavailable.

    `alive` is called before each wait.
    """

    def __init__(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        self._stop = stop
        self._alive = alive

    def call(self, work: Callable[[], T], report: Callable[[Failure], None] | None = None) -> T:
        """What `work` returns; `report` is given what it waits for. Raises Stopped."""

        def before_wait(error: Unavailable) -> None:
            failure = waiting_for(error)
            log.warning("waiting", code=failure.code, error=repr(error))
            self._alive()
            if report is not None:
                report(failure)

        return _POLICY.call(work, self._stop, before_wait)
