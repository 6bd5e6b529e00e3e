"""The load of one upload, from its file to its outcome."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

import pyarrow as pa
import structlog
from sqlalchemy import Connection

from dbuploader.arrow import rebatch, rows_schema
from dbuploader.csvfile.model import FileError
from dbuploader.db.statistics import Statistics
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.bulk import BulkMerge
from dbuploader.merge.load_data import RowFiles
from dbuploader.merge.merge import Classifier, KeysChanged, MergeCounts
from dbuploader.metrics import LOAD_SECONDS
from dbuploader.scratch import Scratch, weather_of_disk
from dbuploader.settings import LoadLimits
from dbuploader.uploads.ledger import Ledger
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.progress import Cancelled, Progress, TooSlow
from dbuploader.validation.file import FileValidator, ValidationResult
from dbuploader.validation.rejects import RejectsFull
from muster.contracts.tables import get_table
from muster.contracts.uploads import Failure, RowCounts, State, Upload
from muster.crashpoints import Point, crash_point
from muster.csvstore import CsvStore, FileDamaged, FileNotStored
from muster.database import (
    ConstraintViolated,
    Database,
    FilesRefused,
    StatementInterrupted,
)
from muster.weather import DiskUnavailable

log = structlog.get_logger(__name__)

_MOST_STARTS = 5
_MOST_INTERRUPTIONS = 10
_STATEMENTS_ENDED = Failure(
    "too-slow",
    f"The database ended its statements {_MOST_INTERRUPTIONS} times, as a limit of their time "
    "does. Nothing was loaded.",
)


class TooManyRejects(Exception):
    """More rows are rejected than the upload allows: none of the others is loaded."""


class StatementsEnded(Exception):
    """The database's server has ended statements of the load again and again."""


class Loader:
    """Loads uploads. What it returns stands in the ledger, where the first outcome is for ever.

    It tells `statistics` what changed; to refresh them is left to whom nobody waits for.
    """

    def __init__(
        self,
        store: CsvStore,
        database: Database,
        ledger: Ledger,
        statistics: Statistics,
        limits: LoadLimits,
        scratch: Scratch,
    ) -> None:
        self._store = store
        self._database = database
        self._ledger = ledger
        self._files = RowFiles(database)
        self._statistics = statistics
        self._limits = limits
        self._scratch = scratch

    def load(self, upload: Upload, progress: Progress) -> UploadOutcome:
        """Check the file, load its good rows in one transaction, and store the bad ones.

        Waits for what does not answer. Raises Stopped, with nothing written, and StateConflict
        when another loader has finished the upload.
        """
        table = get_table(upload.table)
        with ValidationResult(table, self._limits.reject_bytes, self._scratch) as checked:
            try:
                return self._load(upload, checked, progress)
            except Cancelled:
                return self._end(upload, checked, progress, State.CANCELLED)
            except FileError as error:
                failure = Failure(error.code, error.detail)
                return self._end(upload, checked, progress, State.FAILED, failure)
            except TooSlow:
                return self._end(upload, checked, progress, State.FAILED, _too_slow(progress))
            except StatementsEnded:
                return self._end(upload, checked, progress, State.FAILED, _STATEMENTS_ENDED)
            except RejectsFull:
                failure = _rejects_full(checked, self._limits.reject_bytes)
                return self._end(upload, checked, progress, State.FAILED, failure)
            except FileNotStored:
                failure = Failure("file-missing", "The file is not in the store: send it again.")
                return self._end(upload, checked, progress, State.FAILED, failure)
            except FileDamaged as error:
                log.error("the file is damaged", error=str(error))
                detail = "Parts of the stored file are lost: send it again. Nothing was loaded."
                failure = Failure("file-damaged", detail)
                return self._end(upload, checked, progress, State.FAILED, failure)

    def _load(self, upload: Upload, checked: ValidationResult, progress: Progress) -> UploadOutcome:
        once = _interrupted_at_most(
            _MOST_INTERRUPTIONS, partial(self._pass, upload, checked, progress)
        )
        for _ in range(_MOST_STARTS):
            progress.enter(State.VALIDATING)
            crash_point(Point.LOAD_VALIDATING)
            try:
                return progress.patiently(once)
            except (ConstraintViolated, KeysChanged) as error:
                log.warning("the database changed meanwhile", error=repr(error))
            except FilesRefused:
                continue  # and by INSERT from now on
        detail = "Others kept changing the same rows meanwhile. Upload the file again."
        failure = Failure("changed-meanwhile", detail)
        return self._end(upload, checked, progress, State.FAILED, failure)

    def _pass(self, upload: Upload, checked: ValidationResult, progress: Progress) -> UploadOutcome:
        """Go through the file once. May be run again after any error."""
        with progress.work.opening():
            # An earlier run may have been committed, by us or another, though we heard of an error.
            decided = self._ledger.find(upload)
            if decided is not None:
                return decided
            stored = self._open_file(upload)
        checked.clear()
        with stored as file, progress.work.running(), _room_given_back(checked):
            progress.work.check()
            chunks = self._check(upload, file, checked, progress)
            batches = rebatch(chunks, rows_schema(checked.table))
            try:
                if upload.options.dry_run:
                    return self._try_out(upload, batches, checked, progress)
                return self._write(upload, batches, checked, progress)
            except TooManyRejects:
                # What else is wrong with the file is told, too.
                for _ in batches:
                    pass
        return self._end(upload, checked, progress, State.FAILED, _too_many(upload, checked))

    def _open_file(self, upload: Upload) -> BinaryIO:
        stored = self._store.open_file(upload.id)
        if (size := stored.seek(0, io.SEEK_END)) != upload.size:
            stored.close()
            raise FileDamaged(f"{upload.id} has {size} bytes and was sent with {upload.size}")
        stored.seek(0)
        return stored

    def _check(
        self, upload: Upload, file: BinaryIO, checked: ValidationResult, progress: Progress
    ) -> Iterator[pa.RecordBatch]:
        for rows in FileValidator(self._database, upload.options, checked).run(file):
            progress.reach(file.tell() / max(upload.size, 1))
            yield rows

    def _write(
        self,
        upload: Upload,
        batches: Iterator[pa.RecordBatch],
        checked: ValidationResult,
        progress: Progress,
    ) -> UploadOutcome:
        with LOAD_SECONDS.labels(upload.table, "validating").time():
            rows = next(batches)
        _allow(upload, checked)
        # Ends here if another loader was quicker, whose rejects must stay.
        progress.enter(State.LOADING)
        crash_point(Point.LOAD_LOADING)
        with (
            LOAD_SECONDS.labels(upload.table, "loading").time(),
            self._database.write() as connection,
            progress.work.writing(alone=self._database.writes_alone),
            _abandoned_on_error(connection),
        ):
            with (
                BulkMerge(
                    connection,
                    checked.table,
                    self._files,
                    insert=upload.options.mode == "insert",
                    only_inserted=checked.only_inserted,
                ) as merge,
                BackgroundWorker(progress.wait, interrupt=merge.interrupt) as overlap,
            ):
                overlap.submit(partial(merge.add, rows))
                for rows in batches:
                    _allow(upload, checked)
                    overlap.submit(partial(merge.add, rows))
                overlap.submit(merge.finish)
            crash_point(Point.LOAD_ROWS_WRITTEN)
            _allow(upload, checked)
            outcome = self._decide_loaded(connection, upload, merge.counts, checked, progress)
        crash_point(Point.LOAD_COMMITTED)
        self._statistics.changed(checked.table, merge.counts.inserted + merge.counts.updated)
        return outcome

    def _decide_loaded(
        self,
        connection: Connection,
        upload: Upload,
        counts: MergeCounts,
        checked: ValidationResult,
        progress: Progress,
    ) -> UploadOutcome:
        """What is left to do before COMMIT."""
        # Ends here if another loader was quicker, whose rejects must stay.
        progress.wait()
        # Before the rows: whoever sees them loaded can also see which were not.
        self._store_rejects(upload, checked, progress)
        progress.heed()
        rows = _loaded_rows(counts, checked)
        state = State.COMPLETED_WITH_REJECTS if rows.rejected else State.COMPLETED
        outcome = checked.outcome(state, rows)
        # Last, so that nobody who decides otherwise waits for this transaction. It is refused
        # if somebody has decided.
        self._ledger.insert(connection, upload, outcome)
        crash_point(Point.LOAD_LEDGER_INSERTED)
        return outcome

    def _try_out(
        self,
        upload: Upload,
        batches: Iterator[pa.RecordBatch],
        checked: ValidationResult,
        progress: Progress,
    ) -> UploadOutcome:
        with self._database.read() as connection:
            classifier = Classifier(connection, checked.table, lock=False)
            for rows in batches:
                classifier.plan(rows)
        _allow(upload, checked)
        counts = _loaded_rows(classifier.counts, checked)
        return self._end(upload, checked, progress, State.VALIDATED, rows=counts)

    def _end(
        self,
        upload: Upload,
        checked: ValidationResult,
        progress: Progress,
        state: State,
        error: Failure | None = None,
        rows: RowCounts | None = None,
    ) -> UploadOutcome:
        """End without loading: keep the rejects there are, and decide."""
        progress.ignore_cancellation()
        # Ends here if another loader was quicker, whose rejects must stay.
        progress.heed()
        self._store_rejects(upload, checked, progress)
        outcome = checked.outcome(state, rows or checked.unloaded(), error)
        return progress.patiently(partial(self._ledger.decide, upload, outcome))

    def _store_rejects(self, upload: Upload, checked: ValidationResult, progress: Progress) -> None:
        store = partial(
            checked.rejects.store,
            self._store,
            upload.rejects_name_of(checked.load_with_rejects),
            checked.labels,
            progress.alive,
        )
        progress.patiently(store)
        crash_point(Point.LOAD_REJECTS_STORED)


@contextmanager
def _abandoned_on_error(connection: Connection) -> Iterator[None]:
    """On an error close the connection: the server rolls back while we go on."""
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise


@contextmanager
def _room_given_back(checked: ValidationResult) -> Iterator[None]:
    """What the disk refuses is waited for; meanwhile others may have the room that was taken."""
    try:
        with weather_of_disk():
            yield
    except DiskUnavailable:
        checked.clear()
        raise


def _interrupted_at_most(
    times: int, call: Callable[[], UploadOutcome]
) -> Callable[[], UploadOutcome]:
    """The call, for who makes it again; raises StatementsEnded when it is interrupted so often."""
    left = times

    def again() -> UploadOutcome:
        nonlocal left
        try:
            return call()
        except StatementInterrupted as error:
            left -= 1
            if not left:
                raise StatementsEnded from error
            raise

    return again


def _allow(upload: Upload, checked: ValidationResult) -> None:
    most = upload.options.max_rejects
    if most is not None and len(checked.rejects) > most:
        raise TooManyRejects


def _too_many(upload: Upload, checked: ValidationResult) -> Failure:
    detail = (
        f"{len(checked.rejects)} rows were rejected and at most {upload.options.max_rejects} may "
        "be. Nothing was loaded."
    )
    return Failure("too-many-rejects", detail)


def _too_slow(progress: Progress) -> Failure:
    detail = (
        f"Its load has worked for {progress.work.seconds:.0f} s and may for "
        f"{progress.work.most:.0f} s (MUSTER_LOAD_SECONDS). Nothing was loaded."
    )
    return Failure("too-slow", detail)


def _rejects_full(checked: ValidationResult, most_bytes: int) -> Failure:
    detail = (
        f"Reading ended after {checked.read} rows: the {len(checked.rejects)} that were rejected "
        f"take the {most_bytes} bytes that are kept of them (MUSTER_MAX_REJECTS_BYTES). "
        "Nothing was loaded."
    )
    return Failure("too-many-rejects", detail)


def _loaded_rows(counts: MergeCounts, checked: ValidationResult) -> RowCounts:
    return RowCounts(
        read=checked.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged + checked.repeats,
        rejected=len(checked.rejects),
    )
