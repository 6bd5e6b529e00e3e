"""One attempt at an upload of any kind: how it begins again, how it ends, and who hears of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy import Connection

from dbuploader.db.statistics import Statistics
from dbuploader.merge.load_data import RowFiles
from dbuploader.merge.merge import KeysChanged
from dbuploader.scratch import Scratch, weather_of_disk
from dbuploader.settings import LoadLimits
from dbuploader.uploads import outcome as failures
from dbuploader.uploads.ledger import Decision, Ledger
from dbuploader.uploads.outcome import MOST_INTERRUPTIONS, UploadOutcome
from dbuploader.uploads.progress import Cancelled, Progress, TooSlow
from dbuploader.validation.rejects import Rejects
from muster.contracts.rejects import SheetColumns
from muster.contracts.tables import get_table
from muster.contracts.uploads import Failure, RowCounts, State, Upload
from muster.database import (
    ConstraintViolated,
    Database,
    FilesRefused,
    StatementInterrupted,
    Transactions,
)
from muster.stores import Stores
from muster.weather import DiskUnavailable

log = structlog.get_logger(__name__)

_MOST_STARTS = 5


class StatementsEnded(Exception):
    """The database's server has ended statements of the load again and again."""


@dataclass(frozen=True)
class LoadServices:
    """What loads work with: the same for each load of a process.

    They tell `statistics` what they changed; refreshing them is left to a moment when nobody waits.
    """

    stores: Stores
    database: Database
    ledger: Ledger
    statistics: Statistics
    row_files: RowFiles
    limits: LoadLimits
    scratch: Scratch


class Load(ABC):
    """One attempt at one upload. What `run` returns stands in the ledger, once and for all.

    What is to be done stands in `_pass`, which each kind of upload has its own of. A load names the
    rejects that it stores: one that is thought dead may store its own when another's are the
    upload's already.
    """

    def __init__(
        self, upload: Upload, progress: Progress, services: LoadServices, rejects: Rejects
    ) -> None:
        self._upload = upload
        self._progress = progress
        self._services = services
        self._rejects = rejects
        self._files = services.stores.files
        self._database: Transactions = services.database
        self._ledger = services.ledger
        self._table = get_table(upload.table)
        self._id = uuid4().hex
        self._interruptions = 0

    def run(self) -> UploadOutcome:
        """Do all of it in one transaction, and store the rejects.

        Waits for what does not answer. Raises Stopped, with nothing written, and StateConflict
        when another loader has finished the upload. To be called once.
        """
        try:
            return self._load()
        except Cancelled:
            return self._end(State.CANCELLED)
        except Exception as error:
            failure = self._failure_of(error)
            if failure is None:
                raise
            return self._end(State.FAILED, failure)
        finally:
            self._clear()

    @abstractmethod
    def _pass(self) -> UploadOutcome:
        """Do all of it once. May be run again after any error."""

    @property
    @abstractmethod
    def _labels(self) -> tuple[str, ...]:
        """What the cells of the rejects are."""

    @property
    def _sheet(self) -> SheetColumns | None:
        """Where the rejects were in a workbook."""
        return None

    def _clear(self) -> None:
        """Forget what the last pass has found, and give back its room; raises nothing."""
        self._rejects.clear()

    @contextmanager
    def _room_given_back(self) -> Iterator[None]:
        """What the disk refuses is waited for; meanwhile others may have the room it took."""
        try:
            with weather_of_disk():
                yield
        except DiskUnavailable:
            self._clear()
            raise

    def _failure_of(self, error: Exception) -> Failure | None:
        """What the uploader is told of an error that ends the whole upload; None of any other."""
        match error:
            case TooSlow():
                work = self._progress.work
                return failures.too_slow(work.seconds, work.most)
            case StatementsEnded():
                return failures.STATEMENTS_ENDED
            case _:
                return None

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

    def _find_decided(self) -> UploadOutcome | None:
        """What an earlier pass has committed, or another loader, though we heard of an error."""
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

    def _before_commit(self) -> None:
        """What is left to do before COMMIT, but for the ledger."""
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.wait()
        # Before the rows: whoever sees them loaded can also see which were not.
        self._store_rejects()
        self._progress.heed()

    def _decide_in(self, connection: Connection, decision: Decision) -> UploadOutcome:
        """To be called last, so that nobody who decides otherwise waits for this transaction.

        It is refused if somebody has decided.
        """
        (outcome,) = self._ledger.insert(connection, [decision])
        return outcome

    def _end(
        self, state: State, error: Failure | None = None, rows: RowCounts | None = None
    ) -> UploadOutcome:
        """End without loading: keep the rejects there are, and decide."""
        return self._end_with(self._outcome(state, rows or self._unloaded_rows(), error))

    def _end_with(self, outcome: UploadOutcome) -> UploadOutcome:
        self._progress.ignore_cancellation()
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.heed()
        self._store_rejects()
        return self._decide(outcome)

    def _decide(self, outcome: UploadOutcome) -> UploadOutcome:
        return self._progress.patiently(partial(self._ledger.decide, self._upload, outcome))

    def _store_rejects(self) -> None:
        store = partial(
            self._rejects.store,
            self._files,
            self._upload.rejects_name_of(self._id_with_rejects),
            self._labels,
            self._progress.alive,
            self._sheet,
        )
        self._progress.patiently(store)

    @property
    def _id_with_rejects(self) -> str | None:
        return self._id if len(self._rejects) else None

    def _unloaded_rows(self) -> RowCounts:
        """The rows of an upload that wrote none."""
        return RowCounts()

    def _outcome(
        self, state: State, rows: RowCounts, error: Failure | None = None
    ) -> UploadOutcome:
        return UploadOutcome(
            state, rows, self._rejects.causes(), error, rejects=self._id_with_rejects
        )


@contextmanager
def abandoned_on_error(connection: Connection) -> Iterator[None]:
    """On an error close the connection: the server rolls back while we go on."""
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise
