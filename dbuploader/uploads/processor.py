"""Bringing uploads to their final state, in the order of their acceptance, and announcing it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from cachetools import LRUCache

from dbuploader.db.statistics import Statistics
from dbuploader.journal.receipts import ReceiptSigner
from dbuploader.merge.load_data import RowFiles
from dbuploader.metrics import ATTEMPTS, count_finished
from dbuploader.scratch import Scratch
from dbuploader.settings import LoadLimits
from dbuploader.uploads.attempt import Load, LoadServices
from dbuploader.uploads.erasure import ErasureLoad
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.load import UploadLoad
from dbuploader.uploads.outcome import (
    INTERNAL_ERROR,
    MOST_ATTEMPTS,
    TOO_MANY_ATTEMPTS,
    NotFinished,
    UploadOutcome,
)
from dbuploader.uploads.progress import Cancelled, Progress, WorkTime
from dbuploader.uploads.retry import LoadRetry
from dbuploader.uploads.run import UploadRun, first_run
from dbuploader.uploads.undo import UndoLoad
from dbuploader.uploads.undone import note_undone
from dbuploader.uploads.watchdog import Watchdog
from muster.broker import Broker
from muster.broker.messaging import publish_each
from muster.contracts.messages import UploadFinished
from muster.contracts.uploads import (
    UNFINISHED,
    Failure,
    Kind,
    State,
    UnreadableRecord,
    Upload,
    now,
)
from muster.database import Database
from muster.observability.spans import span
from muster.observability.tracing import working_on
from muster.stores import Stores
from muster.uploadstore import StateConflict
from muster.uploadstore.marks import LateMarks
from muster.weather import StoreUnavailable, Unavailable
from muster.worker.shutdown import Stopped

log = structlog.get_logger(__name__)

_MOST_FINISHED = 10_000
_PAGE = 100


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
        signer: ReceiptSigner,
    ) -> None:
        self._uploads = stores.uploads
        self._broker = broker
        self._database = database
        self._stop = stop
        self._watchdog = watchdog
        self._limits = limits
        self._patiently = LoadRetry(stop, watchdog.touch).call
        self._ledger = Ledger(database, signer)
        self._statistics = Statistics(database)
        self._services = LoadServices(
            stores, database, self._ledger, self._statistics, RowFiles(database), limits, scratch
        )
        # Their messages are still to come.
        self._finished: LRUCache[str, bool] = LRUCache(_MOST_FINISHED)
        # All that was accepted before this one is finished, but what comes with its own message.
        self._finished_up_to = 0
        self._marks = LateMarks(stores.uploads, "announced")

    def take_over(self) -> None:
        """End the connections of an earlier loader: it may be frozen, and keep rows locked.

        One that is only thought dead finds its transaction lost, and begins again. Raises Stopped.
        """
        ended = self._patiently(self._database.take_over)
        if ended:
            log.warning("the connections of another loader were ended", connections=ended)

    def process_up_to(self, upload_id: str) -> None:
        """Finish and announce this upload and all that were accepted before it.

        Those that wait right behind it may be finished, too. Therefore messages may come in any
        order, and more than once. An upload that a bug keeps from its end, or whose record can't be
        read, holds up none behind it: if it is this one, this raises NotFinished or
        UnreadableRecord. Raises UploadNotFound, and Stopped if the process is to end first.
        """
        if upload_id in self._finished:
            return
        upload = self._patiently(partial(self._uploads.get, upload_id))
        failed: dict[str, Exception] = {}
        after = min(self._finished_up_to, upload.sequence - 1)
        while after < upload.sequence:
            page = self._patiently(partial(self._uploads.unfinished, after, _PAGE))
            those = [*up_to(upload.sequence, page, self._limits.uploads)]
            self._process([each for each in those if each.id not in self._finished], failed)
            after = those[-1].sequence if those else upload.sequence
        if not failed:
            self._finished_up_to = max(self._finished_up_to, after)
        if upload_id in failed:
            raise failed[upload_id]
        if upload_id not in self._finished:
            # It was finished before; or its record was set aside just now, and this says so.
            left = self._patiently(partial(self._uploads.get, upload_id))
            if not left.state.is_final:
                # It could not be read when it was its turn, and can be again.
                self.process_up_to(upload_id)

    def _process(self, uploads: list[Upload], failed: dict[str, Exception]) -> None:
        """Finish the uploads, in order; raises Stopped. Says by id why one is not finished."""
        while uploads:
            if self._stop.is_set():
                raise Stopped
            run = first_run(uploads, self._limits.uploads)
            done = self._process_run(run, failed) if run else 0
            if not done:
                self._process_alone(uploads[0], failed)
            uploads = uploads[max(done, 1) :]

    def _process_run(self, run: list[Upload], failed: dict[str, Exception]) -> int:
        """Finish the first uploads of the run that nobody has attempted yet; returns how many."""
        attempt_id, begun = uuid4().hex, now()
        try:
            with self._watchdog.watching():
                count = partial(self._ledger.start_attempts, run, attempt_id)
                say_so = partial(self._say_what_it_waits_for, run)
                run = run[: self._patiently(count, say_so)]
                outcomes = self._load_run(run, begun) if run else None
                if outcomes is not None:
                    self._settle([*zip(run, outcomes, strict=True)], begun)
                    return len(run)
            for upload in run:
                self._process_alone(upload, failed, attempt_id)
        except Stopped:
            self._take_back_run(run, attempt_id)
            raise
        return len(run)

    def _say_what_it_waits_for(self, run: list[Upload], failure: Failure) -> None:
        changes = {upload.id: {"error": failure} for upload in run}
        with suppress(StoreUnavailable):
            self._uploads.update_each(changes, expect=UNFINISHED, durable=False)

    def _load_run(self, run: list[Upload], begun: datetime) -> list[UploadOutcome] | None:
        """How each was decided; None if each is to be loaded by itself, as nothing took place."""
        for upload in run:
            ATTEMPTS.labels(upload.table).inc()
        try:
            return UploadRun(run, self._services, self._stop, self._watchdog, begun).load()
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - whose it is will be seen
            log.warning("the run is repeated one by one", uploads=len(run), error=repr(error))
            return None

    def _process_alone(
        self, upload: Upload, failed: dict[str, Exception], attempt_id: str | None = None
    ) -> None:
        """Finish the upload; raises Stopped. The attempt of that id was counted for its run."""
        with (
            working_on(upload),
            span(f"load {upload.table}", attributes={"muster.upload_id": upload.id}),
            self._watchdog.watching(),
        ):
            try:
                self._finish(upload, attempt_id)
            except Stopped:
                raise
            except UnreadableRecord as error:
                # Another version has changed it meanwhile, or has decided it.
                log.warning("the record is set aside", reason=error.reason)
                failed[upload.id] = error
            except Exception as error:
                log.exception("the upload can't be finished")
                failed[upload.id] = NotFinished(upload.id)
                failed[upload.id].__cause__ = error

    def cancel_queued(self) -> None:
        """Cancel at once what nobody has begun to load.

        Raises Unavailable; what is cancelled, but not announced, is announced when its message
        comes.
        """
        for upload in self._uploads.cancelling():
            with working_on(upload):
                try:
                    decided = self._ledger.decide(upload, UploadOutcome(State.CANCELLED))
                    # A power cut can undo that its record says it has begun.
                    if decided.state is not State.CANCELLED:
                        continue
                    final = _final(decided, now())
                    cancelled = self._uploads.update(upload.id, expect={State.QUEUED}, **final)
                except (StateConflict, UnreadableRecord):
                    continue
                count_finished(cancelled)
                self._publish([cancelled])
                self._uploads.mark("announced", [cancelled.id])

    def mark_announced(self) -> None:
        """Have the records say what was announced a moment ago; raises StoreUnavailable."""
        self._marks.set_due()

    def end(self) -> None:
        """Have the records say all that was announced; raises StoreUnavailable."""
        self._marks.set_all()

    def _finish(self, upload: Upload, attempt_id: str | None) -> None:
        try:
            if upload.state.is_final:
                self._announce([upload])
            else:
                self._settle([(upload, self._find_or_load(upload, attempt_id))])
        except StateConflict as conflict:
            self._announce([conflict.upload])

    def _find_or_load(self, upload: Upload, attempt_id: str | None) -> UploadOutcome:
        try:
            while True:
                outcome = self._find_or_try(upload, attempt_id)
                if outcome is not None:
                    return outcome
                attempt_id = None
        except Cancelled:
            # Seen while the attempt waited to begin. If an earlier one was committed, that stands.
            cancelled = UploadOutcome(State.CANCELLED)
            return self._patiently(partial(self._ledger.decide, upload, cancelled))

    def _find_or_try(self, upload: Upload, attempt_id: str | None) -> UploadOutcome | None:
        """The outcome in the ledger, or of one attempt; None if that is to be followed by another.

        The attempt is a new one, unless it is the one of that id, which is counted. Raises
        Stopped, UnreadableRecord, StateConflict and Cancelled.
        """
        load = _LOADS[upload.kind]
        progress = self._progress_of(upload)
        # An earlier load may have been committed without anybody hearing of it.
        decided = progress.patiently(partial(self._ledger.find, upload))
        if decided is not None:
            return decided
        if attempt_id is not None:
            # Not by its id: the ledger knows the latest only, and another loader may have begun
            # its own meanwhile.
            start = partial(self._ledger.count_attempts, upload)
        else:
            attempt_id = uuid4().hex
            start = partial(self._ledger.start_attempt, upload, attempt_id)
        try:
            attempt = progress.patiently(start)
        except Stopped:
            # It may be counted all the same: the answer to a COMMIT can be lost.
            self._take_back(upload, attempt_id, progress.work.seconds)
            raise
        progress.work.resume(attempt.seconds)
        if attempt.number > MOST_ATTEMPTS:
            return self._fail(upload, progress, TOO_MANY_ATTEMPTS)
        ATTEMPTS.labels(upload.table).inc()
        try:
            return load(upload, progress, self._services).run()
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

    def _take_back(self, upload: Upload, attempt_id: str, seconds: float) -> None:
        """Uncount the attempt, or have the next one do so; it counts where nobody can note that."""
        try:
            self._ledger.take_back_attempt(upload, attempt_id, seconds)
        except Unavailable as error:
            log.warning("the attempt is taken back by the next", error=repr(error))
            self._note_stopped([upload], attempt_id)

    def _take_back_run(self, run: list[Upload], attempt_id: str) -> None:
        try:
            self._ledger.take_back_attempts(run, attempt_id)
        except Unavailable as error:
            log.warning("the attempts are taken back by the next", error=repr(error))
            self._note_stopped(run, attempt_id)

    def _note_stopped(self, uploads: Sequence[Upload], attempt_id: str) -> None:
        """Have the records say that the attempt was ended on request, as far as the store answers.

        What they say of others stays: another loader, one that was thought dead, may just have
        noted its own, and which of them is counted is not known.
        """
        noted = {upload.id: upload.stopped_attempt for upload in uploads}
        with suppress(Unavailable):
            for upload_id in noted:
                with suppress(UnreadableRecord):
                    noted[upload_id] = self._uploads.get(upload_id).stopped_attempt
        changes = {
            upload_id: {"stopped_attempt": " ".join(filter(None, (earlier, attempt_id)))}
            for upload_id, earlier in noted.items()
        }
        with suppress(Unavailable):
            self._uploads.update_each(changes, expect=UNFINISHED)

    def _fail(self, upload: Upload, progress: Progress, failure: Failure) -> UploadOutcome:
        failed = UploadOutcome(State.FAILED, error=failure)
        return progress.patiently(partial(self._ledger.decide, upload, failed))

    def _settle(
        self, decided: Sequence[tuple[Upload, UploadOutcome]], begun: datetime | None = None
    ) -> None:
        """Have the records say how their uploads were decided, and announce it.

        Those of a run say only now when it was `begun`.
        """
        for upload, outcome in decided:
            if upload.kind == "undo" and outcome.change is not None:
                # First: whoever sees the undo final goes on from what it took back.
                self._patiently(partial(note_undone, self._database, self._uploads, upload))
        finished_at = now()
        since = {} if begun is None else {"started_at": begun}
        changes = {upload.id: since | _final(outcome, finished_at) for upload, outcome in decided}
        finals = self._patiently(partial(self._uploads.update_each, changes, expect=UNFINISHED))
        for final in finals:
            # Otherwise another loader has said so.
            if final.finished_at == finished_at:
                count_finished(final)
                with working_on(final):
                    log.info("upload finished", state=final.state.value)
        self._announce(finals)
        self._statistics.refresh()

    def _announce(self, finals: Sequence[Upload]) -> None:
        silent = [final for final in finals if not final.announced]
        if silent:
            self._patiently(partial(self._publish, silent))
            self._marks.add(final.id for final in silent)
        self._finished.update((final.id, True) for final in finals)

    def _publish(self, finals: Sequence[Upload]) -> None:
        publish_each(self._broker, [(UploadFinished.about(final), final) for final in finals])


_LOADS: Mapping[Kind, Callable[[Upload, Progress, LoadServices], Load]] = {
    "upload": UploadLoad,
    "undo": UndoLoad,
    "erasure": ErasureLoad,
}
"""What does the work of an upload of each kind."""


def up_to(sequence: int, uploads: Sequence[Upload], most: int) -> Iterator[Upload]:
    """The first of the uploads, which are in order: up to a sequence, and so many at most with it.

    Behind it what follows a number that is left out is not taken: that upload may be just being
    accepted, and comes first.
    """
    last = sequence
    for upload in uploads:
        if upload.sequence > sequence:
            if upload.sequence > last + 1 or upload.sequence >= sequence + most:
                return
            last = upload.sequence
        yield upload


def _final(outcome: UploadOutcome, finished_at: datetime) -> dict[str, Any]:
    """What the record of an upload says that was decided so."""
    decided = {
        field.name: getattr(outcome, field.name)
        for field in fields(outcome)
        if field.name != "number"
    }
    return {**decided, "finished_at": finished_at, "progress": 1.0}
