"""A run: several small uploads that wait, loaded in one transaction, each as if by itself.

The transaction costs about as much for one upload as for many. Of an upload that fails nothing is
written, and it is decided `failed` in its place. What breaks the transaction, or shows that
somebody else has changed something meanwhile, breaks the run: then nothing of it took place, and
each upload is to be loaded by itself.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import chain, takewhile
from typing import BinaryIO, TypeVar

import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import Connection

from dbuploader.journal.changes import ChangeRecorder
from dbuploader.journal.erasure import Tombstones
from dbuploader.journal.impact import Effect
from dbuploader.merge.background import BackgroundWorker
from dbuploader.merge.held import HeldMerge, HeldRows
from dbuploader.merge.merge import Classifier, Merge
from dbuploader.merge.summary import HiresDifferences, add_to_summary
from dbuploader.uploads.attempt import LoadServices, abandoned_on_error
from dbuploader.uploads.ledger import Decision
from dbuploader.uploads.load import UploadLoad
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.progress import Progress, WorkTime
from dbuploader.uploads.watchdog import Watchdog
from dbuploader.validation.foreign_keys import KnownParents
from muster.contracts.uploads import State, Upload, now
from muster.filestore import FileNotStored
from muster.observability.spans import span
from muster.observability.tracing import working_on
from muster.stores import Stores
from muster.weather import FileDamaged, StoreUnavailable
from muster.worker.shutdown import Stopped

T = TypeVar("T")

_MOST_UPLOAD_BYTES = 64 * 1024
_MOST_BYTES = 2 * 1024**2
_SOON = timedelta(seconds=1)


def first_run(uploads: Sequence[Upload], most: int) -> list[Upload]:
    """The first of the uploads, at most so many, that may be one run; none if the first may not."""
    if most == 1:
        return []
    run: list[Upload] = []
    size = 0
    for upload in takewhile(_is_for_a_run, uploads[:most]):
        size += upload.size
        if run and size > _MOST_BYTES:
            break
        run.append(upload)
    return run


def _is_for_a_run(upload: Upload) -> bool:
    return (
        upload.kind == "upload"
        and upload.state is State.QUEUED
        and not upload.cancel_requested
        # It would hold up all others of the run while a process of its own reads it.
        and not upload.is_workbook
        # What it loads may have been erased, which is seen to by itself.
        and upload.loads is None
        and upload.size <= _MOST_UPLOAD_BYTES
    )


class UploadRun:
    """One attempt at all uploads of a run. An attempt at each is counted before."""

    def __init__(
        self,
        uploads: Sequence[Upload],
        services: LoadServices,
        stop: threading.Event,
        watchdog: Watchdog,
        begun: datetime,
    ) -> None:
        self._uploads = uploads
        self._services = services
        self._stop = stop
        self._watchdog = watchdog
        self._begun = begun
        self._has_told = False

    def load(self) -> list[UploadOutcome]:
        """How each of the uploads was decided, in their order, once all is committed.

        Raises Stopped, with nothing written. Whatever else this raises, the run is broken.
        """
        database = self._services.database
        # First, as nobody else is to wait for the transaction while the store is slow.
        in_records = self._services.stores.files_in_records(self._uploads)
        files = [self._fetch(upload, in_records) for upload in self._uploads]
        with database.write() as connection, abandoned_on_error(connection):
            interrupt = partial(database.interrupt, connection)
            # In a thread, so that a statement that hangs can be left when the process must stop.
            with BackgroundWorker(self._wait, interrupt=interrupt) as worker:
                load = worker.submit(partial(self._load_each, connection, files))
                return worker.result(load)

    def _fetch(self, upload: Upload, in_records: Mapping[str, bytes]) -> "StoredFile":
        with working_on(upload):
            return StoredFile(self._services.stores, upload, in_records)

    def _load_each(
        self, connection: Connection, files: Sequence["StoredFile"]
    ) -> list[UploadOutcome]:
        tombstones = Tombstones.after(connection, files[0].upload.sequence)
        whole = Whole(HeldRows(connection), tombstones)
        for file in files:
            self._load_one(whole, file)
        whole.rows.flush()
        for decision in whole.decisions:
            if decision.changes is not None:
                decision.changes.flush()
        add_to_summary(connection, whole.summary.take())
        return self._services.ledger.insert(connection, whole.decisions)

    def _load_one(self, whole: "Whole", file: "StoredFile") -> None:
        upload = file.upload
        work = WorkTime(self._services.limits.seconds, keep=_not_kept)
        progress = RunProgress(
            self._services.stores.uploads, upload, self._stop, self._watchdog, work
        )
        with (
            working_on(upload),
            span(f"load {upload.table}", attributes={"muster.upload_id": upload.id}),
        ):
            load = PartialLoad(file, progress, self._services, whole)
            whole.decisions.append(Decision(upload, load.run(), load.changes, load.effect))

    def _wait(self) -> None:
        if self._stop.is_set():
            raise Stopped
        if not self._has_told and now() - self._begun >= _SOON:
            self._has_told = True
            self._tell()

    def _tell(self) -> None:
        """Have the records say that they are being loaded: of a run that is quick, none need to."""
        loading = {"state": State.VALIDATING, "started_at": self._begun, "error": None}
        changes = {upload.id: loading for upload in self._uploads}
        with suppress(StoreUnavailable):
            self._services.stores.uploads.update_each(changes, expect={State.QUEUED}, durable=False)


@dataclass(frozen=True)
class Whole:
    """What the loads of a run share: its transaction, what they found, and what they change.

    The `tombstones` are those that matter to any of them.

    The uploads are decided together at its end.
    """

    rows: HeldRows
    tombstones: Tombstones
    parents: KnownParents = field(default_factory=KnownParents)
    summary: HiresDifferences = field(default_factory=HiresDifferences)
    decisions: list[Decision] = field(default_factory=list)


class StoredFile:
    """The file of an upload, read as a whole; raises StoreUnavailable."""

    def __init__(self, stores: Stores, upload: Upload, in_records: Mapping[str, bytes]) -> None:
        self.upload = upload
        self._content = b""
        self._error: FileNotStored | FileDamaged | None = None
        try:
            with stores.open_file(upload, in_records) as file:
                self._content = file.read()
        except (FileNotStored, FileDamaged) as error:
            self._error = error

    def open(self) -> BinaryIO:
        """Its bytes; raises FileNotStored or FileDamaged."""
        if self._error is not None:
            raise self._error
        return BytesIO(self._content)


class RunProgress(Progress):
    """The progress of a load in a run. It tells nobody, and does not wait for what is away."""

    def patiently(self, call: Callable[[], T]) -> T:
        """What `call` returns, or raises."""
        return call()

    def enter(self, state: State) -> None:
        """The run tells of all its uploads."""

    def heed(self) -> None:
        """Raises Stopped."""
        self._go_on()

    def _report_now_and_then(self) -> None:
        pass


class PartialLoad(UploadLoad):
    """The load of one upload of a run, within its transaction.

    It starts once: what has changed meanwhile looks the same to the whole transaction. Its rows,
    and what it changes in the summary, are written with those of the others. The rows that a dry
    run compares stay as they are until what it would change is told, at the run's end.
    """

    _locks_in_dry_runs = True

    def __init__(
        self, file: StoredFile, progress: Progress, services: LoadServices, whole: Whole
    ) -> None:
        super().__init__(file.upload, progress, services)
        self._file = file
        self._database = self._rows = whole.rows
        self._parents = whole.parents
        self._tombstones = whole.tombstones
        self._summary = whole.summary
        self.changes: ChangeRecorder | None = None
        self.effect: Effect | None = None

    def _load(self) -> UploadOutcome:
        return self._pass()

    def _erased_keys(self) -> BitMap:
        return self._tombstones.keys(self._table, self._upload.sequence)

    def _find_decided(self) -> UploadOutcome | None:
        # It was not when its attempt was counted; since then the ledger refuses a second outcome.
        return None

    def _open_stored(self) -> BinaryIO:
        return self._file.open()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            yield connection
        if self.effect is not None and self.effect.hires is not None:
            self._summary.include(self.effect.hires)

    def _merge(
        self,
        connection: Connection,
        changes: ChangeRecorder,
        rows: pa.RecordBatch,
        further: Iterator[pa.RecordBatch],
    ) -> Merge:
        merge = HeldMerge(
            self._rows,
            connection,
            self._table,
            changes,
            insert=self._upload.options.mode == "insert",
            only_inserted=self._result.only_inserted,
        )
        for batch in chain([rows], further):
            self._allow_rejects()
            merge.add(batch)
        return merge

    def _tell_tried(self, _connection: Connection, tried: Classifier) -> None:
        # With those of the others, at the run's end.
        self.effect = self._effect_of(tried)

    def _decide_in(self, _connection: Connection, decision: Decision) -> UploadOutcome:
        self.changes, self.effect = decision.changes, decision.effect
        return decision.outcome

    def _decide(self, outcome: UploadOutcome) -> UploadOutcome:
        if outcome.state is not State.VALIDATED:
            self.effect = None
        return outcome


def _not_kept(_seconds: float) -> None:
    """Time that a run has worked: if it is broken, each upload begins anew."""
