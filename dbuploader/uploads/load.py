"""The load of one upload, from its file to its outcome."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import pyarrow as pa
import structlog
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.arrow import rebatch, rows_schema
from dbuploader.csvfile.model import FileError
from dbuploader.journal.changes import ChangeRecorder
from dbuploader.journal.erasure import Tombstones
from dbuploader.journal.impact import Effect, tell
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.bulk import BulkMerge
from dbuploader.merge.merge import Classifier, Merge, MergeCounts
from dbuploader.metrics import LOAD_SECONDS
from dbuploader.uploads import outcome as failures
from dbuploader.uploads.attempt import Load, LoadServices
from dbuploader.uploads.ledger import Decision
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.progress import Progress
from dbuploader.validation.file import FileValidator, ValidationResult
from dbuploader.validation.foreign_keys import KnownParents
from dbuploader.validation.rejects import RejectsFull
from dbuploader.workbooks.content import Content, open_content
from dbuploader.workbooks.process import Workspace
from muster.contracts.expectations import unmet
from muster.contracts.rejects import SheetColumns
from muster.contracts.tables import get_table
from muster.contracts.uploads import (
    UNFINISHED,
    Failure,
    Impact,
    RowCounts,
    Source,
    State,
    UnreadableRecord,
    Upload,
)
from muster.filestore import FileNotStored
from muster.uploadstore import UploadNotFound
from muster.weather import FileDamaged

log = structlog.get_logger(__name__)


class TooManyRejects(Exception):
    """More rows are rejected than the upload allows: none of the others is loaded."""


class FileErased(Exception):
    """The file that a dry run checked was erased before its turn to be loaded."""


class NotAsExpected(Exception):
    """The load would do other than the uploader expects, by the clauses `unmet`."""

    def __init__(self, unmet: Sequence[str]) -> None:
        super().__init__("; ".join(unmet))
        self.unmet = unmet


class UploadLoad(Load):
    """Checks the file, loads its good rows in one transaction, and stores the bad ones."""

    _locks_in_dry_runs = False

    def __init__(self, upload: Upload, progress: Progress, services: LoadServices) -> None:
        table = get_table(upload.table)
        self._result = ValidationResult(table, services.limits.reject_bytes, services.scratch)
        super().__init__(upload, progress, services, self._result.rejects)
        self._parents: KnownParents | None = None
        self._content: Content | None = None

    @property
    def _labels(self) -> tuple[str, ...]:
        return self._result.labels

    @property
    def _sheet(self) -> SheetColumns | None:
        sheet = self._content.sheet if self._content else None
        return sheet.columns(self._result.places) if sheet else None

    def _clear(self) -> None:
        self._result.clear()

    def _failure_of(self, error: Exception) -> Failure | None:
        match error:
            case FileError():
                return Failure(error.code, error.detail)
            case FileErased():
                return failures.FILE_ERASED
            case FileNotStored():
                return failures.FILE_MISSING
            case FileDamaged():
                log.error("the file is damaged", error=str(error))
                return failures.FILE_DAMAGED
            case NotAsExpected():
                return failures.not_as_expected(error.unmet)
            case RejectsFull():
                most = self._services.limits.reject_bytes
                return failures.rejects_full(self._result.read, len(self._rejects), most)
            case _:
                return super()._failure_of(error)

    def _pass(self) -> UploadOutcome:
        with self._progress.work.opening():
            decided = self._find_decided()
            if decided is not None:
                return decided
            stored = self._open_stored()
        self._result.clear()
        self._content = None
        with (
            stored as file,
            self._progress.work.running(),
            self._room_given_back(),
            self._open_content(file) as content,
        ):
            self._progress.work.check()
            batches = rebatch(self._validate(content), rows_schema(self._table))
            try:
                if self._upload.options.dry_run:
                    return self._try_out(batches)
                return self._write(batches)
            except TooManyRejects:
                # What else is wrong with the file is reported, too.
                for _ in batches:
                    pass
        most = self._upload.options.max_rejects
        return self._end(State.FAILED, failures.too_many_rejects(len(self._rejects), most))

    def _open_stored(self) -> BinaryIO:
        self._ensure_not_erased()
        return self._services.stores.open_file(self._upload)

    def _ensure_not_erased(self) -> None:
        """Raise FileErased, the file removed, if an erasure has removed that of the dry run.

        It may have been copied while the erasure was on its way. Every erasure that was accepted
        before this upload is done by now; later ones look into its own file.
        """
        if self._upload.loads is None:
            return
        stores = self._services.stores
        try:
            removed = stores.uploads.get(self._upload.loads).files_removed
        except (UploadNotFound, UnreadableRecord) as error:
            log.warning("whether its dry run was erased is not known", error=repr(error))
            return
        if removed is not None and removed.by is not None:
            stores.remove_files({self._upload.id: {"files_removed": removed}}, expect=UNFINISHED)
            raise FileErased

    @contextmanager
    def _open_content(self, file: BinaryIO) -> Iterator[Content]:
        services = self._services
        workspace = Workspace(
            services.scratch.new_file,
            services.limits.workbook_bytes,
            self._progress.wait_while_alive,
        )
        with open_content(file, self._upload, workspace) as content:
            self._content = content
            yield content

    def _validate(self, content: Content) -> Iterator[pa.RecordBatch]:
        options = self._upload.options
        erased = self._erased_keys()
        validator = FileValidator(self._database, options, self._result, self._parents, erased)
        for rows in validator.run(content):
            share = content.stream.tell() / max(self._upload.size, 1)
            self._progress.reach(share, self._result.read)
            yield rows

    def _erased_keys(self) -> BitMap:
        with self._database.read() as connection:
            tombstones = Tombstones.after(connection, self._upload.sequence)
        return tombstones.keys(self._table, self._upload.sequence)

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
            merge = self._merge(connection, changes, rows, batches)
            self._allow_rejects()
            outcome = self._decide_loaded(connection, changes, merge)
        self._services.statistics.changed(self._table, merge.counts.inserted + merge.counts.updated)
        return outcome

    def _merge(
        self,
        connection: Connection,
        changes: ChangeRecorder,
        rows: pa.RecordBatch,
        further: Iterator[pa.RecordBatch],
    ) -> Merge:
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
        return merge

    def _decide_loaded(
        self, connection: Connection, changes: ChangeRecorder, merge: Merge
    ) -> UploadOutcome:
        # Before anything is stored: where the upload fails, it has its own rejects.
        rows = self._expected_rows(merge.counts)
        self._before_commit()
        state = State.COMPLETED_WITH_REJECTS if rows.rejected else State.COMPLETED
        outcome = self._outcome(state, rows)
        effect = Effect.of(changes, merge.differences)
        return self._decide_in(connection, Decision(self._upload, outcome, changes, effect))

    def _try_out(self, batches: Iterator[pa.RecordBatch]) -> UploadOutcome:
        with self._database.read() as connection:
            classifier = Classifier(connection, self._table, lock=self._locks_in_dry_runs)
            for batch in batches:
                classifier.plan(batch)
                if classifier.differences is not None and classifier.differences.is_full:
                    classifier.differences.take()
            self._allow_rejects()
            rows = self._expected_rows(classifier.counts)
            impact = self._tell_tried(connection, classifier)
        return self._end_with(replace(self._outcome(State.VALIDATED, rows), impact=impact))

    def _tell_tried(self, connection: Connection, tried: Classifier) -> Impact | None:
        (impact,) = tell(connection, [self._effect_of(tried)])
        return impact

    def _effect_of(self, tried: Classifier) -> Effect:
        inserted = tried.counts.inserted
        return Effect.tried(self._upload.id, self._table, inserted, tried.differences)

    def _allow_rejects(self) -> None:
        most = self._upload.options.max_rejects
        if most is not None and len(self._rejects) > most:
            raise TooManyRejects

    def _outcome(
        self, state: State, rows: RowCounts, error: Failure | None = None
    ) -> UploadOutcome:
        result = self._result
        return replace(
            super()._outcome(state, rows, error),
            warnings=tuple(result.warnings),
            warnings_total=result.warnings_total,
            source=None if self._sheet is None else Source(self._sheet.name),
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
            rejected=len(self._rejects),
        )

    def _unloaded_rows(self) -> RowCounts:
        read, rejected = self._result.read, len(self._rejects)
        return RowCounts(read=read, rejected=rejected, unprocessed=read - rejected)
