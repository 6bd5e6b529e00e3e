"""The load of one upload, from its file to its outcome."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from uuid import uuid4

import pyarrow as pa
import structlog
from sqlalchemy import Connection

from dbuploader.arrow import rebatch, rows_schema
from dbuploader.csvfile.model import FileError
from dbuploader.db.statistics import Statistics
from dbuploader.journal.changes import ChangeRecorder
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.bulk import BulkMerge
from dbuploader.merge.load_data import RowFiles
from dbuploader.merge.merge import Classifier, KeysChanged, MergeCounts
from dbuploader.metrics import LOAD_SECONDS
from dbuploader.scratch import Scratch, weather_of_disk
from dbuploader.settings import LoadLimits
from dbuploader.uploads import outcome as failures
from dbuploader.uploads.ledger import Decision, Ledger
from dbuploader.uploads.outcome import MOST_INTERRUPTIONS, UploadOutcome
from dbuploader.uploads.progress import Cancelled, Progress, TooSlow
from dbuploader.validation.file import FileValidator, ValidationResult
from dbuploader.validation.foreign_keys import KnownParents
from dbuploader.validation.rejects import RejectsFull
from muster.contracts.expectations import unmet
from muster.contracts.tables import get_table
from muster.contracts.uploads import Failure, RowCounts, State, Upload
from muster.database import (
    ConstraintViolated,
    Database,
    FilesRefused,
    StatementInterrupted,
    Transactions,
)
from muster.filestore import FileNotStored
from muster.stores import Stores
from muster.weather import DiskUnavailable, FileDamaged

log = structlog.get_logger(__name__)

_MOST_STARTS = 5


class TooManyRejects(Exception):
    """More rows are rejected than the upload allows: none of the others is loaded."""


class NotAsExpected(Exception):
    """The load would do other than the uploader expects, by the clauses `unmet`."""

    def __init__(self, unmet: Sequence[str]) -> None:
        super().__init__("; ".join(unmet))
        self.unmet = unmet


class StatementsEnded(Exception):
    """The database's server has ended statements of the load again and again."""


@dataclass(frozen=True)
class LoadServices:
    """What loads work with: the same for each load of a process.

    They tell `statistics` what they changed; refreshing them is left to a moment when nobody waits.
    """

    stores: Stores
    database: Database
    statistics: Statistics
    row_files: RowFiles
    limits: LoadLimits
    scratch: Scratch


class UploadLoad:
    """One attempt at one upload. What `run` returns stands in the ledger, once and for all.

    A load names the rejects that it stores: one that is thought dead may store its own when
    another's are the upload's already.
    """

    def __init__(self, upload: Upload, progress: Progress, services: LoadServices) -> None:
        self._upload = upload
        self._progress = progress
        self._services = services
        self._files = services.stores.files
        self._database: Transactions = services.database
        self._ledger = Ledger(services.database)
        self._table = get_table(upload.table)
        self._result = ValidationResult(self._table, services.limits.reject_bytes, services.scratch)
        self._id = uuid4().hex
        self._parents: KnownParents | None = None
        self._interruptions = 0

    def run(self) -> UploadOutcome:
        """Check the file, load its good rows in one transaction, and store the bad ones.

        Waits for what does not answer. Raises Stopped, with nothing written, and StateConflict
        when another loader has finished the upload. To be called once.
        """
        with self._result:
            try:
                return self._load()
            except Cancelled:
                return self._end(State.CANCELLED)
            except (
                FileError,
                FileNotStored,
                FileDamaged,
                NotAsExpected,
                RejectsFull,
                TooSlow,
                StatementsEnded,
            ) as error:
                return self._end(State.FAILED, self._failure_of(error))

    def _failure_of(self, error: Exception) -> Failure:
        """What the uploader is told of an error that ends the load of the whole file."""
        match error:
            case FileError():
                return Failure(error.code, error.detail)
            case FileNotStored():
                return failures.FILE_MISSING
            case FileDamaged():
                log.error("the file is damaged", error=str(error))
                return failures.FILE_DAMAGED
            case NotAsExpected():
                return failures.not_as_expected(error.unmet)
            case RejectsFull():
                most = self._services.limits.reject_bytes
                return failures.rejects_full(self._result.read, len(self._result.rejects), most)
            case TooSlow():
                work = self._progress.work
                return failures.too_slow(work.seconds, work.most)
            case _:
                return failures.STATEMENTS_ENDED

    def _load(self) -> UploadOutcome:
        for _ in range(_MOST_STARTS):
            self._progress.enter(State.VALIDATING)
            try:
                return self._progress.patiently(self._pass_unless_interrupted)
            except (ConstraintViolated, KeysChanged) as error:
                log.warning("the database changed meanwhile", error=repr(error))
            except FilesRefused:
                continue  # and by INSERT from now on
        return self._end(State.FAILED, failures.CHANGED_MEANWHILE)

    def _pass_unless_interrupted(self) -> UploadOutcome:
        try:
            return self._pass()
        except StatementInterrupted as error:
            self._interruptions += 1
            if self._interruptions == MOST_INTERRUPTIONS:
                raise StatementsEnded from error
            raise

    def _pass(self) -> UploadOutcome:
        """Go through the file once. May be run again after any error."""
        with self._progress.work.opening():
            # An earlier run may have been committed, by us or another, though we heard of an error.
            decided = self._find_decided()
            if decided is not None:
                return decided
            stored = self._open_stored()
        self._result.clear()
        with stored as file, self._progress.work.running(), _room_given_back(self._result):
            self._progress.work.check()
            batches = rebatch(self._validate(file), rows_schema(self._table))
            try:
                if self._upload.options.dry_run:
                    return self._try_out(batches)
                return self._write(batches)
            except TooManyRejects:
                # What else is wrong with the file is reported, too.
                for _ in batches:
                    pass
        most = self._upload.options.max_rejects
        return self._end(State.FAILED, failures.too_many_rejects(len(self._result.rejects), most))

    def _open_stored(self) -> BinaryIO:
        return self._services.stores.open_file(self._upload)

    def _validate(self, file: BinaryIO) -> Iterator[pa.RecordBatch]:
        options = self._upload.options
        validator = FileValidator(self._database, options, self._result, self._parents)
        for rows in validator.run(file):
            self._progress.reach(file.tell() / max(self._upload.size, 1))
            yield rows

    def _write(self, batches: Iterator[pa.RecordBatch]) -> UploadOutcome:
        with LOAD_SECONDS.labels(self._table.name, "validating").time():
            rows = next(batches)
        self._allow_rejects()
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.enter(State.LOADING)
        with (
            LOAD_SECONDS.labels(self._table.name, "loading").time(),
            self._transaction() as connection,
        ):
            changes = ChangeRecorder(connection, self._table, self._upload.id)
            counts = self._merge(connection, changes, rows, batches)
            self._allow_rejects()
            outcome = self._decide_loaded(connection, changes, counts)
        self._services.statistics.changed(self._table, counts.inserted + counts.updated)
        return outcome

    def _find_decided(self) -> UploadOutcome | None:
        return self._ledger.find(self._upload)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """The one of the rows and of the ledger."""
        database = self._services.database
        with (
            database.write() as connection,
            self._progress.work.writing(alone=database.writes_alone),
            abandoned_on_error(connection),
        ):
            yield connection

    def _merge(
        self,
        connection: Connection,
        changes: ChangeRecorder,
        rows: pa.RecordBatch,
        further: Iterator[pa.RecordBatch],
    ) -> MergeCounts:
        """Merge all rows in a thread, while this one reads and checks the next."""
        with (
            BulkMerge(
                connection,
                self._table,
                changes,
                self._services.row_files,
                insert=self._upload.options.mode == "insert",
                only_inserted=self._result.only_inserted,
            ) as merge,
            BackgroundWorker(self._progress.wait, interrupt=merge.interrupt) as merging,
        ):
            merging.submit(partial(merge.add, rows))
            for rows in further:
                self._allow_rejects()
                merging.submit(partial(merge.add, rows))
            merging.submit(merge.finish)
        return merge.counts

    def _decide_loaded(
        self, connection: Connection, changes: ChangeRecorder, counts: MergeCounts
    ) -> UploadOutcome:
        """What is left to do before COMMIT."""
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.wait()
        rows = self._expected_rows(counts)
        # Before the rows: whoever sees them loaded can also see which were not.
        self._store_rejects()
        self._progress.heed()
        state = State.COMPLETED_WITH_REJECTS if rows.rejected else State.COMPLETED
        outcome = self._outcome(state, rows)
        # Last, so that nobody who decides otherwise waits for this transaction. It is refused
        # if somebody has decided.
        return self._decide_in(connection, Decision(self._upload, outcome, changes))

    def _decide_in(self, connection: Connection, decision: Decision) -> UploadOutcome:
        (outcome,) = self._ledger.insert(connection, [decision])
        return outcome

    def _try_out(self, batches: Iterator[pa.RecordBatch]) -> UploadOutcome:
        with self._database.read() as connection:
            classifier = Classifier(connection, self._table, lock=False)
            for rows in batches:
                classifier.plan(rows)
        self._allow_rejects()
        return self._end(State.VALIDATED, rows=self._expected_rows(classifier.counts))

    def _end(
        self, state: State, error: Failure | None = None, rows: RowCounts | None = None
    ) -> UploadOutcome:
        """End without loading: keep the rejects there are, and decide."""
        self._progress.ignore_cancellation()
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.heed()
        self._store_rejects()
        outcome = self._outcome(state, rows or self._unloaded_rows(), error)
        return self._decide(outcome)

    def _decide(self, outcome: UploadOutcome) -> UploadOutcome:
        return self._progress.patiently(partial(self._ledger.decide, self._upload, outcome))

    def _store_rejects(self) -> None:
        store = partial(
            self._result.rejects.store,
            self._files,
            self._upload.rejects_name_of(self._id_with_rejects),
            self._result.labels,
            self._progress.alive,
        )
        self._progress.patiently(store)

    def _allow_rejects(self) -> None:
        most = self._upload.options.max_rejects
        if most is not None and len(self._result.rejects) > most:
            raise TooManyRejects

    @property
    def _id_with_rejects(self) -> str | None:
        return self._id if len(self._result.rejects) else None

    def _outcome(
        self, state: State, rows: RowCounts, error: Failure | None = None
    ) -> UploadOutcome:
        result = self._result
        return UploadOutcome(
            state,
            rows,
            result.rejects.causes(),
            error,
            tuple(result.warnings),
            result.warnings_total,
            self._id_with_rejects,
        )

    def _expected_rows(self, counts: MergeCounts) -> RowCounts:
        """What became of the rows; raises NotAsExpected."""
        rows = self._loaded_rows(counts)
        if clauses := unmet(self._upload.options, rows):
            raise NotAsExpected(clauses)
        return rows

    def _loaded_rows(self, counts: MergeCounts) -> RowCounts:
        return RowCounts(
            read=self._result.read,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged + self._result.repeats,
            rejected=len(self._result.rejects),
        )

    def _unloaded_rows(self) -> RowCounts:
        read, rejected = self._result.read, len(self._result.rejects)
        return RowCounts(read=read, rejected=rejected, unprocessed=read - rejected)


@contextmanager
def abandoned_on_error(connection: Connection) -> Iterator[None]:
    """On an error close the connection: the server rolls back while we go on."""
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise


@contextmanager
def _room_given_back(result: ValidationResult) -> Iterator[None]:
    """What the disk refuses is waited for; meanwhile others may have the room that was taken."""
    try:
        with weather_of_disk():
            yield
    except DiskUnavailable:
        result.clear()
        raise
