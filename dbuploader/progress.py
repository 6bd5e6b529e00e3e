"""What the upload record says while its load is under way, and whether to go on with it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from dbuploader.patience import Patience, Stopped
from dbuploader.watching import Watchdog
from dbuploader.worktime import WorkTime
from muster.contracts.uploads import UNFINISHED, Failure, State, Upload, now
from muster.csvstore import CsvStore, StateConflict, StoreUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

_REPORT_SECONDS = 0.5
_BEFORE_THE_END = 0.999


class Cancelled(Exception):
    """The uploader has asked to cancel the upload."""


class Progress:
    """The progress of one upload. It never goes back, though work may start again.

    Every method that reports or looks raises Cancelled when that was asked for, and StateConflict
    when the record is final already: another loader was quicker.
    """

    def __init__(
        self,
        store: CsvStore,
        upload: Upload,
        stop: threading.Event,
        watchdog: Watchdog,
        work: WorkTime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._upload = upload
        self._stop = stop
        self._watchdog = watchdog
        self.work = work
        self._clock = clock
        self._patience = Patience(stop, watchdog.touch)
        self._reached = upload.progress
        self._started_at = upload.started_at
        self._reported = clock()
        self._cancellable = True

    def patiently(self, call: Callable[[], T]) -> T:
        """What `call` returns, waiting for what it needs; the record says so meanwhile."""
        return self._patience(self.work.of_last(call), self._tell)

    def enter(self, state: State) -> None:
        """Put the record into `state`. Waits for the store. Raises Stopped."""
        self._started_at = self._started_at or now()
        self.patiently(
            lambda: self._report(state=state, started_at=self._started_at, progress=self._reached)
        )

    def reach(self, share: float) -> None:
        """`share` of the work, from 0 to 1, is done; reports it now and then.

        Raises Stopped and TooSlow.
        """
        self._go_on()
        self.work.check()
        self._reached = max(self._reached, min(share, _BEFORE_THE_END))
        self._report_now_and_then()

    def wait(self) -> None:
        """Report now and then while another thread works, which may hang.

        Raises Stopped and TooSlow.
        """
        self._heed_stop()
        self.work.check()
        self._report_now_and_then()

    def heed(self) -> None:
        """Look now whether to go on; if the store does not say, do. Raises Stopped."""
        self._go_on()
        with suppress(StoreUnavailable):
            record = self._store.get(self._upload.id)
            if record.state.is_final:
                raise StateConflict(record)
            self._heed(record)

    def ignore_cancellation(self) -> None:
        """From now on no wish to cancel is heeded: the upload is about to end without loading."""
        self._cancellable = False

    def alive(self) -> None:
        """Say that there is progress, though not how much."""
        self._watchdog.touch()

    def _go_on(self) -> None:
        self._watchdog.touch()
        self._heed_stop()

    def _heed_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _report_now_and_then(self) -> None:
        if self._clock() - self._reported < _REPORT_SECONDS:
            return
        try:
            self._report(progress=self._reached)
        except StoreUnavailable as error:
            log.warning("progress not reported", error=repr(error))

    def _report(self, **changes: Any) -> None:
        self._reported = self._clock()
        self._heed(self._store.update(self._upload.id, expect=UNFINISHED, error=None, **changes))

    def _tell(self, failure: Failure) -> None:
        with suppress(StoreUnavailable):
            self._heed(self._store.update(self._upload.id, expect=UNFINISHED, error=failure))

    def _heed(self, record: Upload) -> None:
        if record.cancel_requested and self._cancellable:
            raise Cancelled
