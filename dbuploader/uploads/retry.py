"""Waiting out the weather."""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential,
)

from muster.contracts.uploads import Failure
from muster.weather import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


class Stopped(Exception):
    """The process is asked to stop: leave the work to whoever comes next."""


class Patience:
    """Runs a call again, ever less often, for as long as what it needs is Unavailable.

    `alive` is called before each wait.
    """

    def __init__(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        self._stop = stop
        self._alive = alive

    def __call__(self, call: Callable[[], T], tell: Callable[[Failure], None] | None = None) -> T:
        """What `call` returns. Tells what it waits for by `tell`. Raises Stopped."""

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if not isinstance(error, Unavailable):
                return
            failure = _waiting_for(error)
            log.warning("waiting", code=failure.code, error=repr(error))
            self._alive()
            if tell is not None:
                tell(failure)

        retrying = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=before_sleep,
            reraise=True,
        )
        try:
            return retrying(call)
        except Unavailable as error:
            raise Stopped from error


def _waiting_for(error: Unavailable) -> Failure:
    detail = f"The {error.awaits} does not answer; the load goes on as soon as it does."
    return Failure(f"waiting-for-{error.awaits}", detail)
