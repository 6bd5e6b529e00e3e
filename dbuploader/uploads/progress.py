"""The progress of a load: what its record says, how long it has worked, whether to go on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import structlog

from dbuploader.uploads.retry import LoadRetry
from dbuploader.uploads.watchdog import Watchdog, process_time
from muster.contracts.uploads import UNFINISHED, Failure, RowCounts, State, Upload, now
from muster.uploadstore import StateConflict, UploadStore
from muster.weather import DiskUnavailable, StoreUnavailable, Unavailable
from muster.worker.shutdown import Stopped

log = structlog.get_logger(__name__)

T = TypeVar("T")

_REPORT_SECONDS = 0.5
_BEFORE_THE_END = 0.999
_KEEP_SECONDS = 10.0


class Cancelled(Exception):
    """The uploader has asked to cancel the upload."""


class TooSlow(Exception):
    """The load has worked for as long as it may."""


class WorkTime:
    """The seconds that the load of one upload has worked, those of earlier processes included.

    What counts is reading, checking, looking up and writing, in this process or in the server it
    waits for. Waiting for a server that is away or for room on the disk does not count, nor a pass
    over the file that ended because of that. `keep` is given the seconds now and then, for the
    next process.
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
        """Start from the seconds that earlier attempts have worked."""
        self._counted = self._kept = self._before_pass = seconds

    @property
    def seconds(self) -> float:
        """How long the load has worked so far."""
        running = 0.0 if self._since is None else self._clock() - self._since
        return self._counted + running

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Ask for what a pass needs: if it is away, the time of the pass before does not count."""
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
        """A write transaction is open; while it writes `alone`, no time can be kept."""
        self._may_keep = not alone
        try:
            yield
        finally:
            self._may_keep = True

    def of_last(self, call: Callable[[], T]) -> Callable[[], T]:
        """The call, to be repeated while it fails: only the time of its last run counts."""
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


class Progress:
    """The progress of one upload. It never goes back, though work may start again.

    Every method that writes or reads the record raises Cancelled if the uploader asked for that,
    and StateConflict if the record is final already: another loader was quicker.
    """

    def __init__(
        self,
        uploads: UploadStore,
        upload: Upload,
        stop: threading.Event,
        watchdog: Watchdog,
        work: WorkTime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._upload = upload
        self._stop = stop
        self._watchdog = watchdog
        self.work = work
        self._clock = clock
        self._retry = LoadRetry(stop, watchdog.touch)
        self._reached = upload.progress
        self._started_at = upload.started_at
        self._reported = clock()
        self._cancellable = True
        self._rows = 0

    def patiently(self, call: Callable[[], T]) -> T:
        """What `call` returns, waiting for what it needs; meanwhile the record says so."""
        return self._retry.call(self.work.of_last(call), self._report_wait)

    def enter(self, state: State) -> None:
        """Put the record into `state`. Waits for the store. Raises Stopped."""
        self._started_at = self._started_at or now()
        self.patiently(
            lambda: self._report(state=state, started_at=self._started_at, progress=self._reached)
        )

    def reach(self, share: float, rows: int = 0) -> None:
        """`share` of the work, from 0 to 1, is done, and so many rows; reports it now and then.

        Raises Stopped and TooSlow.
        """
        self._go_on()
        self.work.check()
        self._reached = max(self._reached, min(share, _BEFORE_THE_END))
        self._rows = rows
        self._report_now_and_then()

    def wait(self) -> None:
        """Report now and then while another thread works, which may hang.

        Raises Stopped and TooSlow.
        """
        self._heed_stop()
        self.work.check()
        self._report_now_and_then()

    def wait_while_alive(self) -> None:
        """Like `wait`, while what works is bounded in time by itself.

        Raises Stopped and TooSlow.
        """
        self.alive()
        self.wait()

    def heed(self) -> None:
        """Check now whether to go on; if the store does not answer, go on. Raises Stopped."""
        self._go_on()
        with suppress(StoreUnavailable):
            record = self._uploads.get(self._upload.id)
            if record.state.is_final:
                raise StateConflict(record)
            self._heed(record)

    def ignore_cancellation(self) -> None:
        """Heed no cancellation from now on: the upload is about to end without being loaded."""
        self._cancellable = False

    def alive(self) -> None:
        """Report to the watchdog that there is progress, though not how much."""
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
            read = RowCounts(read=self._rows, unprocessed=self._rows)
            self._report(progress=self._reached, rows=read)
        except StoreUnavailable as error:
            log.warning("progress not reported", error=repr(error))

    def _report(self, **changes: Any) -> None:
        self._reported = self._clock()
        self._heed(self._update(error=None, **changes))

    def _report_wait(self, failure: Failure) -> None:
        with suppress(StoreUnavailable):
            self._heed(self._update(error=failure))

    def _update(self, **changes: Any) -> Upload:
        # Whatever a power cut undoes of it, the load that goes on says again.
        return self._uploads.update(self._upload.id, expect=UNFINISHED, durable=False, **changes)

    def _heed(self, record: Upload) -> None:
        if record.cancel_requested and self._cancellable:
            raise Cancelled
