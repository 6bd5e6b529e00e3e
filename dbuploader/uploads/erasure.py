"""The erasure of a row, in its turn: what of it stands outside the database is removed whole.

The row itself is gone by then, or is taken out now. Then each upload before the erasure whose file
or rejects may hold the row loses both, and what its record and the ledger quote of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import structlog
from sqlalchemy import select

from dbuploader.db.schema import ledger
from dbuploader.journal.erasure import Erasure, Erasures, RowReferred, uploads_holding
from dbuploader.uploads.attempt import Load, LoadServices
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.progress import Progress
from dbuploader.validation.key_search import KeySearch
from dbuploader.validation.rejects import Rejects
from dbuploader.workbooks.process import Workspace
from muster.contracts.rejects import read_rejects
from muster.contracts.uploads import (
    Failure,
    FilesRemoved,
    RowCounts,
    State,
    UnreadableRecord,
    Upload,
    now,
)
from muster.filestore import FileNotStored
from muster.uploadstore import UploadNotFound
from muster.uploadstore.pages import upload_pages
from muster.weather import FileDamaged

log = structlog.get_logger(__name__)

# Of these states the journal does not know every key that the file holds.
_KEYS_UNKNOWN = (State.COMPLETED_WITH_REJECTS, State.VALIDATED, State.FAILED, State.CANCELLED)
_PAGE = 100
_NOT_KEPT = "Not kept, as a row of the file was erased."
# What these failures say quotes nothing of the file.
_QUOTES_NOTHING = {
    "changed-meanwhile",
    "empty-file",
    "expectation",
    "file-damaged",
    "file-erased",
    "file-missing",
    "internal-error",
    "too-many-attempts",
    "too-many-rejects",
    "too-slow",
}


class ErasureLoad(Load):
    """Erases the row, and then removes the files, the rejects and the messages that may hold it."""

    def __init__(self, upload: Upload, progress: Progress, services: LoadServices) -> None:
        rejects = Rejects(services.limits.reject_bytes, services.scratch)
        super().__init__(upload, progress, services, rejects)
        self._key = upload.erases or 0
        workspace = Workspace(
            services.scratch.new_file, services.limits.workbook_bytes, lambda: progress.reach(0)
        )
        self._search = KeySearch(self._table, self._key, workspace)

    @property
    def _labels(self) -> tuple[str, ...]:
        return ()

    def _failure_of(self, error: Exception) -> Failure | None:
        if isinstance(error, RowReferred):
            return Failure("row-referred", str(error))
        return super()._failure_of(error)

    def _pass(self) -> UploadOutcome:
        decided = self._find_decided()
        if decided is not None:
            return decided
        number = self._erase()
        self._progress.ignore_cancellation()
        self._progress.enter(State.LOADING)
        for upload in self._holders():
            self._progress.reach(0)
            self._remove_files(upload)
        outcome = self._outcome(State.COMPLETED, RowCounts())
        return self._end_with(replace(outcome, change=number))

    def _erase(self) -> int | None:
        upload = self._upload
        erasure = Erasure(
            self._table, self._key, upload.id, upload.sequence, upload.owner, upload.submitted_by
        )
        return Erasures(self._services.database).erase(erasure)

    def _holders(self) -> Iterator[Upload]:
        """The uploads before this one that may hold the row, in no set order."""
        with self._services.database.read() as connection:
            holding = uploads_holding(connection, self._table, self._key)
            before_the_journal = connection.scalars(
                select(ledger.c.upload_id).where(
                    ledger.c.number.is_(None),
                    ledger.c.table_name == self._table.name,
                    ledger.c.state == State.COMPLETED,
                )
            ).all()
        yield from self._concerned(holding)
        yield from filter(self._may_hold, self._concerned(before_the_journal))
        for state in _KEYS_UNKNOWN:
            yield from filter(self._may_hold, filter(self._concerns, self._of_state(state)))

    def _concerned(self, ids: Iterable[str]) -> Iterator[Upload]:
        for upload_id in ids:
            try:
                upload = self._services.stores.uploads.get(upload_id)
            except (UploadNotFound, UnreadableRecord) as error:
                log.warning("a record is not searched", error=repr(error))
                continue
            if self._concerns(upload):
                yield upload

    def _of_state(self, state: State) -> Iterator[Upload]:
        before, table = self._upload.sequence, self._table.name
        uploads = self._services.stores.uploads
        return chain.from_iterable(
            upload_pages(uploads, _PAGE, state=state, table=table, before=before)
        )

    def _concerns(self, upload: Upload) -> bool:
        """Whether it is a file that came before; what other erasures removed is clean."""
        removed = upload.files_removed
        is_clean = removed is not None and removed.by not in {None, self._upload.id}
        return upload.kind == "upload" and upload.sequence < self._upload.sequence and not is_clean

    def _may_hold(self, upload: Upload) -> bool:
        # What is gone can't be searched, but its messages are still there.
        if upload.files_removed is not None:
            return True
        try:
            with self._services.stores.open_file(upload) as file:
                return self._search.is_in_file(file, upload)
        except (FileNotStored, FileDamaged) as error:
            log.warning("a file can't be searched", upload=upload.id, error=repr(error))
        try:
            with self._files.open(upload.rejects_name) as stored:
                return self._search.is_in_rejects(read_rejects(stored)[1])
        except FileNotStored:
            return False
        except FileDamaged:
            return True

    def _remove_files(self, upload: Upload) -> None:
        """What the ledger says, then the record, then the files: each may be done again."""
        error = upload.error
        if error is not None and error.code not in _QUOTES_NOTHING:
            error = replace(error, detail=_NOT_KEPT)
        causes = [replace(each, message=_NOT_KEPT) for each in upload.causes]
        warnings = [replace(each, message=_NOT_KEPT) for each in upload.warnings]
        self._ledger.replace_messages(upload, causes, warnings, error)
        earlier = upload.files_removed
        removed = (
            FilesRemoved("erased", now(), self._upload.id)
            if earlier is None
            else replace(earlier, by=self._upload.id)
        )
        changes = {
            "files_removed": removed,
            "causes": tuple(causes),
            "warnings": tuple(warnings),
            "error": error,
        }
        self._services.stores.remove_files({upload.id: changes})
