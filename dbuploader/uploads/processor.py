"""Bringing uploads to their final state, in the order of their acceptance, and saying so."""

import threading
from contextlib import suppress
from functools import partial
from uuid import uuid4

import structlog

from dbuploader.db.statistics import Statistics
from dbuploader.metrics import ATTEMPTS, count_finished
from dbuploader.scratch import Scratch
from dbuploader.settings import LoadLimits
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.load import Loader
from dbuploader.uploads.outcome import NotFinished, UploadOutcome, failed
from dbuploader.uploads.progress import Progress, WorkTime
from dbuploader.uploads.retry import Patience, Stopped
from dbuploader.uploads.watchdog import Watchdog
from muster.broker import Broker
from muster.broker.messaging import publish
from muster.contracts.messages import UploadFinished
from muster.contracts.uploads import UNFINISHED, State, UnreadableRecord, Upload, now
from muster.crashpoints import Point, crash_point
from muster.csvstore import CsvStore, StateConflict
from muster.database import Database
from muster.observability.spans import span
from muster.observability.tracing import working_on
from muster.weather import Unavailable

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 3


class UploadProcessor:
    """Finishes uploads; one thread may do so while another calls `cancel_queued`."""

    def __init__(
        self,
        store: CsvStore,
        broker: Broker,
        database: Database,
        stop: threading.Event,
        watchdog: Watchdog,
        limits: LoadLimits,
        scratch: Scratch,
    ) -> None:
        self._store = store
        self._broker = broker
        self._database = database
        self._stop = stop
        self._watchdog = watchdog
        self._limits = limits
        self._patiently = Patience(stop, watchdog.touch)
        self._ledger = Ledger(database)
        self._statistics = Statistics(database)
        self._loader = Loader(store, database, self._ledger, self._statistics, limits, scratch)

    def take_over(self) -> None:
        """Have no loader before this one keep a row locked: it may be frozen. Raises Stopped.

        One that is only thought dead finds its transaction lost, and begins anew.
        """
        ended = self._patiently(self._database.take_over)
        if ended:
            log.warning("the connections of another loader were ended", connections=ended)

    def process_up_to(self, upload_id: str) -> None:
        """Finish and announce this upload and all that were accepted before it.

        Messages may so come in any order, and more than once. One that a mistake of ours keeps
        from its end, or whose record can't be read, holds up none behind it: if it was this one,
        this raises NotFinished or UnreadableRecord. Raises UploadNotFound, and Stopped when the
        process is to end first.
        """
        upload = self._patiently(partial(self._store.get, upload_id))
        for pending in self._patiently(partial(self._store.unfinished, upload.sequence)):
            if self._stop.is_set():
                raise Stopped
            with (
                working_on(pending),
                span(f"load {pending.table}", attributes={"muster.upload_id": pending.id}),
                self._watchdog.watching(),
            ):
                try:
                    self._finish(pending)
                except Stopped:
                    raise
                except UnreadableRecord as error:
                    # Another version has changed it meanwhile, or has decided it.
                    log.warning("the record is set aside", reason=error.reason)
                    if pending.id == upload_id:
                        raise
                except Exception as error:
                    log.exception("the upload can't be finished")
                    if pending.id == upload_id:
                        raise NotFinished(upload_id) from error

    def cancel_queued(self) -> None:
        """Cancel at once what nobody has begun to load.

        Raises Unavailable; what is cancelled, but not announced, is
        announced when its message comes.
        """
        for upload in self._store.cancelling():
            with working_on(upload):
                try:
                    cancelled = self._store.update(
                        upload.id,
                        expect={State.QUEUED},
                        state=State.CANCELLED,
                        finished_at=now(),
                        progress=1.0,
                    )
                except (StateConflict, UnreadableRecord):
                    continue
                count_finished(cancelled)
                crash_point(Point.CANCEL_RECORD_FINAL)
                self._publish(cancelled)
                crash_point(Point.CANCEL_RESULT_QUEUED)
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
            crash_point(Point.LOAD_RESULT_QUEUED)
            self._patiently(partial(self._mark_announced, final))
        self._statistics.refresh()

    def _find_or_load(self, upload: Upload) -> UploadOutcome:
        while True:
            work = WorkTime(self._limits.seconds, partial(self._ledger.keep_seconds, upload))
            progress = Progress(self._store, upload, self._stop, self._watchdog, work)
            # An earlier load may have been committed without anybody hearing of it.
            decided = progress.patiently(partial(self._ledger.find, upload))
            if decided is not None:
                return decided
            attempt_id = uuid4().hex
            attempt = progress.patiently(partial(self._ledger.start_attempt, upload, attempt_id))
            crash_point(Point.LOAD_ATTEMPT_COUNTED)
            work.resume(attempt.seconds)
            if attempt.number > MOST_ATTEMPTS:
                detail = f"Its load ended its process {MOST_ATTEMPTS} times. Nothing was loaded."
                return self._fail(upload, progress, "too-many-attempts", detail)
            ATTEMPTS.labels(upload.table).inc()
            try:
                return self._loader.load(upload, progress)
            except (Stopped, UnreadableRecord):
                self._take_back(upload, attempt_id, work.seconds)
                raise
            except StateConflict:
                raise
            except Exception:  # a mistake met by one file must not hold up those behind it
                log.exception("the load failed", attempt=attempt.number)
                self._ledger.keep_seconds(upload, work.seconds)
                if attempt.number == MOST_ATTEMPTS:
                    detail = "Something went wrong in the loader. Tell the operators."
                    return self._fail(upload, progress, "internal-error", detail)

    def _take_back(self, upload: Upload, attempt_id: str, seconds: float) -> None:
        try:
            self._ledger.take_back_attempt(upload, attempt_id, seconds)
        except Unavailable as error:
            log.warning("the attempt is taken back by the next", error=repr(error))
            with suppress(Unavailable, StateConflict):
                self._store.update(upload.id, expect=UNFINISHED, stopped_attempt=attempt_id)

    def _fail(self, upload: Upload, progress: Progress, code: str, detail: str) -> UploadOutcome:
        # Rejects of an earlier attempt would not agree with counts of 0.
        progress.patiently(partial(self._store.delete_file, upload.rejects_name))
        return progress.patiently(partial(self._ledger.decide, upload, failed(code, detail)))

    def _settle(self, upload: Upload, outcome: UploadOutcome) -> Upload:
        final = self._patiently(
            partial(
                self._store.update,
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
        crash_point(Point.LOAD_RECORD_FINAL)
        count_finished(final)
        log.info("upload finished", state=final.state.value)
        return final

    def _publish(self, upload: Upload) -> None:
        publish(self._broker, UploadFinished.about(upload), upload)

    def _mark_announced(self, upload: Upload) -> None:
        self._store.update(upload.id, expect={upload.state}, announced=True)
