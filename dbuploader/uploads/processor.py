"""Bringing uploads to their final state, in the order of their acceptance, and announcing it."""

import threading
from contextlib import suppress
from functools import partial
from uuid import uuid4

import structlog

from dbuploader.db.statistics import Statistics
from dbuploader.merge.load_data import RowFiles
from dbuploader.metrics import ATTEMPTS, count_finished
from dbuploader.scratch import Scratch
from dbuploader.settings import LoadLimits
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.load import LoadServices, UploadLoad
from dbuploader.uploads.outcome import (
    INTERNAL_ERROR,
    MOST_ATTEMPTS,
    TOO_MANY_ATTEMPTS,
    NotFinished,
    UploadOutcome,
)
from dbuploader.uploads.progress import Cancelled, Progress, WorkTime
from dbuploader.uploads.retry import LoadRetry
from dbuploader.uploads.watchdog import Watchdog
from muster.broker import Broker
from muster.broker.messaging import publish
from muster.contracts.messages import UploadFinished
from muster.contracts.uploads import UNFINISHED, Failure, State, UnreadableRecord, Upload, now
from muster.database import Database
from muster.observability.spans import span
from muster.observability.tracing import working_on
from muster.stores import Stores
from muster.uploadstore import StateConflict
from muster.weather import Unavailable
from muster.worker.shutdown import Stopped

log = structlog.get_logger(__name__)


class UploadProcessor:
    """Finishes uploads; one thread may do so while another calls `cancel_queued`."""

    def __init__(
        self,
        stores: Stores,
        broker: Broker,
        database: Database,
        stop: threading.Event,
        watchdog: Watchdog,
        limits: LoadLimits,
        scratch: Scratch,
    ) -> None:
        self._files, self._uploads = stores.files, stores.uploads
        self._broker = broker
        self._database = database
        self._stop = stop
        self._watchdog = watchdog
        self._limits = limits
        self._patiently = LoadRetry(stop, watchdog.touch).call
        self._ledger = Ledger(database)
        self._statistics = Statistics(database)
        self._services = LoadServices(
            stores, database, self._ledger, self._statistics, RowFiles(database), limits, scratch
        )

    def take_over(self) -> None:
        """End the connections of an earlier loader: it may be frozen, and keep rows locked.

        One that is only thought dead finds its transaction lost, and begins again. Raises Stopped.
        """
        ended = self._patiently(self._database.take_over)
        if ended:
            log.warning("the connections of another loader were ended", connections=ended)

    def process_up_to(self, upload_id: str) -> None:
        """Finish and announce this upload and all that were accepted before it.

        Therefore messages may come in any order, and more than once. An upload that a bug keeps
        from its end, or whose record can't be read, holds up none behind it: if it is this one,
        this raises NotFinished or UnreadableRecord. Raises UploadNotFound, and Stopped
        if the process is to end first.
        """
        upload = self._patiently(partial(self._uploads.get, upload_id))
        unfinished = self._patiently(partial(self._uploads.unfinished, upload.sequence))
        for pending in unfinished:
            if self._stop.is_set():
                raise Stopped
            try:
                self._process(pending)
            except (UnreadableRecord, NotFinished):
                if pending.id == upload_id:
                    raise
        if upload_id not in {pending.id for pending in unfinished}:
            # It was finished before; or its record was set aside just now, and this says so.
            self._patiently(partial(self._uploads.get, upload_id))

    def _process(self, upload: Upload) -> None:
        """Finish the upload; raises Stopped, UnreadableRecord and NotFinished."""
        with (
            working_on(upload),
            span(f"load {upload.table}", attributes={"muster.upload_id": upload.id}),
            self._watchdog.watching(),
        ):
            try:
                self._finish(upload)
            except Stopped:
                raise
            except UnreadableRecord as error:
                # Another version has changed it meanwhile, or has decided it.
                log.warning("the record is set aside", reason=error.reason)
                raise
            except Exception as error:
                log.exception("the upload can't be finished")
                raise NotFinished(upload.id) from error

    def cancel_queued(self) -> None:
        """Cancel at once what nobody has begun to load.

        Raises Unavailable; what is cancelled, but not announced, is announced when its message
        comes.
        """
        for upload in self._uploads.cancelling():
            with working_on(upload):
                try:
                    cancelled = self._uploads.update(
                        upload.id,
                        expect={State.QUEUED},
                        state=State.CANCELLED,
                        finished_at=now(),
                        progress=1.0,
                    )
                except (StateConflict, UnreadableRecord):
                    continue
                count_finished(cancelled)
                self._publish(cancelled)
                self._mark_announced(cancelled)

    def _finish(self, upload: Upload) -> None:
        try:
            final = upload
            if not upload.state.is_final:
                final = self._settle(upload, self._find_or_load(upload))
        except StateConflict as conflict:
            final = conflict.upload
        if not final.announced:
            self._patiently(partial(self._publish, final))
            self._patiently(partial(self._mark_announced, final))
        self._statistics.refresh()

    def _find_or_load(self, upload: Upload) -> UploadOutcome:
        try:
            while True:
                outcome = self._find_or_try(upload)
                if outcome is not None:
                    return outcome
        except Cancelled:
            # Seen while the attempt waited to begin. If an earlier one was committed, that stands.
            cancelled = UploadOutcome(State.CANCELLED)
            return self._patiently(partial(self._ledger.decide, upload, cancelled))

    def _find_or_try(self, upload: Upload) -> UploadOutcome | None:
        """The outcome in the ledger, or of one attempt; None if that is to be followed by another.

        Raises Stopped, UnreadableRecord, StateConflict and Cancelled.
        """
        progress = self._progress_of(upload)
        # An earlier load may have been committed without anybody hearing of it.
        decided = progress.patiently(partial(self._ledger.find, upload))
        if decided is not None:
            return decided
        attempt_id = uuid4().hex
        try:
            attempt = progress.patiently(partial(self._ledger.start_attempt, upload, attempt_id))
        except Stopped:
            # It may be counted all the same: the answer to a COMMIT can be lost.
            self._take_back(upload, attempt_id, progress.work.seconds, keeps_earlier=True)
            raise
        progress.work.resume(attempt.seconds)
        if attempt.number > MOST_ATTEMPTS:
            return self._fail(upload, progress, TOO_MANY_ATTEMPTS)
        ATTEMPTS.labels(upload.table).inc()
        try:
            return UploadLoad(upload, progress, self._services).run()
        except (Stopped, UnreadableRecord):
            self._take_back(upload, attempt_id, progress.work.seconds)
            raise
        except StateConflict:
            raise
        except Exception:  # a bug that one file meets must not hold up those behind it
            log.exception("the load failed", attempt=attempt.number)
            self._ledger.keep_seconds(upload, progress.work.seconds)
            if attempt.number == MOST_ATTEMPTS:
                return self._fail(upload, progress, INTERNAL_ERROR)
            return None

    def _progress_of(self, upload: Upload) -> Progress:
        work = WorkTime(self._limits.seconds, partial(self._ledger.keep_seconds, upload))
        return Progress(self._uploads, upload, self._stop, self._watchdog, work)

    def _take_back(
        self, upload: Upload, attempt_id: str, seconds: float, *, keeps_earlier: bool = False
    ) -> None:
        """Uncount the attempt, or have the next one do so; it counts where nobody can note that.

        It `keeps_earlier` ones noted where it may not have been counted in their place.
        """
        try:
            self._ledger.take_back_attempt(upload, attempt_id, seconds)
        except Unavailable as error:
            log.warning("the attempt is taken back by the next", error=repr(error))
            earlier = upload.stopped_attempt if keeps_earlier else None
            stopped = attempt_id if earlier is None else f"{earlier} {attempt_id}"
            with suppress(Unavailable, StateConflict):
                self._uploads.update(upload.id, expect=UNFINISHED, stopped_attempt=stopped)

    def _fail(self, upload: Upload, progress: Progress, failure: Failure) -> UploadOutcome:
        # Rejects of an earlier attempt would not agree with counts of 0.
        progress.patiently(partial(self._files.delete, upload.rejects_name))
        failed = UploadOutcome(State.FAILED, error=failure)
        return progress.patiently(partial(self._ledger.decide, upload, failed))

    def _settle(self, upload: Upload, outcome: UploadOutcome) -> Upload:
        final = self._patiently(
            partial(
                self._uploads.update,
                upload.id,
                expect=UNFINISHED,
                state=outcome.state,
                rows=outcome.rows,
                causes=outcome.causes,
                error=outcome.error,
                warnings=outcome.warnings,
                warnings_total=outcome.warnings_total,
                rejects=outcome.rejects,
                finished_at=now(),
                progress=1.0,
            )
        )
        count_finished(final)
        log.info("upload finished", state=final.state.value)
        return final

    def _publish(self, upload: Upload) -> None:
        publish(self._broker, UploadFinished.about(upload), upload)

    def _mark_announced(self, upload: Upload) -> None:
        self._uploads.update(upload.id, expect={upload.state}, announced=True)
