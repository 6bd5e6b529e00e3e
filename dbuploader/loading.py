"""The load of one upload, from its file to its outcome."""

from functools import partial

import structlog

from dbuploader.checked import Checked
from dbuploader.csvfile import FileError
from dbuploader.deciding import Decisions
from dbuploader.merging import Classifier, Merge, MergeCounts
from dbuploader.metrics import LOAD_SECONDS
from dbuploader.outcomes import Outcome
from dbuploader.progress import Cancelled, Progress
from dbuploader.repository.ledger import change_outcome, insert_outcome
from dbuploader.validating import Validation
from muster.csvstore import CsvStore, FileNotStored
from muster.database import ConstraintViolated, Database
from muster.tables import get_table
from muster.uploads import Failure, RowCounts, State, Upload

log = structlog.get_logger(__name__)

_MOST_STARTS = 5
_VALIDATING_SHARE = 0.5


class KeysChanged(Exception):
    """A key that mode=insert found free was taken before the load began to write."""


class Loader:
    """Loads uploads. What it returns stands in the ledger, where the first outcome is for ever."""

    def __init__(self, store: CsvStore, database: Database, decisions: Decisions) -> None:
        self._store = store
        self._database = database
        self._decisions = decisions

    def load(self, upload: Upload, progress: Progress) -> Outcome:
        """Check the file, load its good rows in one transaction, and store the bad ones.

        Waits for what does not answer. Raises Stopped, with nothing written, and StateConflict
        when another loader has finished the upload.
        """
        with Checked(get_table(upload.table)) as checked:
            try:
                return self._load(upload, checked, progress)
            except Cancelled:
                return self._end(upload, checked, progress, State.CANCELLED)
            except FileError as error:
                failure = Failure(error.code, error.detail)
                return self._end(upload, checked, progress, State.FAILED, failure)
            except FileNotStored:
                failure = Failure("file-missing", "The file is not in the store: send it again.")
                return self._end(upload, checked, progress, State.FAILED, failure)

    def _load(self, upload: Upload, checked: Checked, progress: Progress) -> Outcome:
        for _ in range(_MOST_STARTS):
            progress.enter(State.VALIDATING)
            with LOAD_SECONDS.labels(upload.table, "validating").time():
                progress.patiently(partial(self._validate, upload, checked, progress))
            excess = _excess(upload, checked)
            if excess is not None:
                return self._end(upload, checked, progress, State.FAILED, excess)
            if upload.options.dry_run:
                return self._try_out(upload, checked, progress)
            # Ends here if another loader was quicker, whose rejects must stay.
            progress.enter(State.LOADING)
            # Before the rows: whoever sees them loaded can also see which were not.
            self._store_rejects(upload, checked, progress)
            try:
                with LOAD_SECONDS.labels(upload.table, "loading").time():
                    return progress.patiently(partial(self._write, upload, checked, progress))
            except (ConstraintViolated, KeysChanged) as error:
                decided = progress.patiently(partial(self._decisions.find, upload))
                if decided is not None:
                    return decided
                log.warning("the database changed since validation", error=repr(error))
        detail = "Others kept changing the same rows meanwhile. Upload the file again."
        return self._end(
            upload, checked, progress, State.FAILED, Failure("changed-meanwhile", detail)
        )

    def _validate(self, upload: Upload, checked: Checked, progress: Progress) -> None:
        checked.clear()
        with self._store.open_file(upload.id) as file:
            for _ in Validation(self._database, upload.options, checked).run(file):
                progress.reach(_VALIDATING_SHARE * file.tell() / max(upload.size, 1))

    def _write(self, upload: Upload, checked: Checked, progress: Progress) -> Outcome:
        """The transaction. It may be run again from its start after any error."""
        with self._database.write() as connection:
            # First, so that a second loader of this upload waits here or ends here.
            insert_outcome(connection, upload, Outcome(State.LOADING))
            merge = Merge(connection, checked.table)
            for rows in checked.owners.batches():
                merge.add(rows)
                done = merge.counts
                if upload.options.mode == "insert" and done.updated + done.unchanged:
                    raise KeysChanged
                progress.reach(_loading_share(done, checked))
            merge.finish()
            counts = _loaded_rows(merge.counts, checked)
            state = State.COMPLETED_WITH_REJECTS if counts.rejected else State.COMPLETED
            outcome = Outcome(state, counts, checked.rejects.causes())
            change_outcome(connection, upload, outcome)
            progress.report()
        return outcome

    def _try_out(self, upload: Upload, checked: Checked, progress: Progress) -> Outcome:
        rows = progress.patiently(partial(self._classify, checked, progress))
        return self._end(upload, checked, progress, State.VALIDATED, rows=rows)

    def _classify(self, checked: Checked, progress: Progress) -> RowCounts:
        with self._database.read() as connection:
            classifier = Classifier(connection, checked.table, lock=False)
            for rows in checked.owners.batches():
                classifier.split(rows)
                progress.reach(_loading_share(classifier.counts, checked))
        return _loaded_rows(classifier.counts, checked)

    def _end(
        self,
        upload: Upload,
        checked: Checked,
        progress: Progress,
        state: State,
        error: Failure | None = None,
        rows: RowCounts | None = None,
    ) -> Outcome:
        """End without loading: keep the rejects there are, and decide."""
        progress.ignore_cancellation()
        # Ends here if another loader was quicker, whose rejects must stay.
        progress.report()
        self._store_rejects(upload, checked, progress)
        outcome = Outcome(state, rows or checked.unloaded(), checked.rejects.causes(), error)
        return progress.patiently(partial(self._decisions.decide, upload, outcome))

    def _store_rejects(self, upload: Upload, checked: Checked, progress: Progress) -> None:
        store = partial(
            checked.rejects.store,
            self._store,
            upload.rejects_name,
            checked.labels,
            progress.alive,
        )
        progress.patiently(store)


def _excess(upload: Upload, checked: Checked) -> Failure | None:
    most = upload.options.max_rejects
    rejected = len(checked.rejects)
    if most is None or rejected <= most:
        return None
    detail = f"{rejected} rows were rejected and at most {most} may be. Nothing was loaded."
    return Failure("too-many-rejects", detail)


def _loading_share(counts: MergeCounts, checked: Checked) -> float:
    done = counts.inserted + counts.updated + counts.unchanged
    return _VALIDATING_SHARE + (1 - _VALIDATING_SHARE) * done / len(checked.owners)


def _loaded_rows(counts: MergeCounts, checked: Checked) -> RowCounts:
    return RowCounts(
        read=checked.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged + checked.repeats,
        rejected=len(checked.rejects),
    )
