"""Accepting an upload: what a 202 promises.

The file is made durable, then its record; a small one goes with its record. The record is also the
outbox: it says that the loader must still be notified. Whatever fails after that, the upload is
accepted.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import Counter

from gateway.errors import ClientGone, WrongColumns
from gateway.settings import TableLimits
from gateway.uploads.admission import Admission, Place
from gateway.uploads.filenames import clean_filename, table_for
from gateway.uploads.idempotency import (
    Acceptance,
    accepted_once,
    fingerprint,
    same_request,
)
from gateway.uploads.kept_file import MOST_IN_RECORD, keeping
from gateway.uploads.outbox import Outbox
from gateway.uploads.request_body import ReceivedFile, RequestBody, UploadedFile
from muster.contracts.tables import get_table, tables
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options, Upload, now
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields, current_trace
from muster.stores import Stores
from muster.uploadstore import KeyTaken

log = structlog.get_logger(__name__)

ACCEPTED = Counter("muster_uploads_accepted_total", "Uploads accepted.", ("table",))
# From 0: a rate over a series that begins at its first event misses that event.
for _table in tables():
    ACCEPTED.labels(_table)


@dataclass(frozen=True)
class Submission:
    """A file that a user sends, not read yet, and what the user says about it.

    `table` and `filename` are given if they are not the file's own, `key` is an idempotency key,
    and `previous` the upload whose rejected rows this one corrects. `counted` bytes of it are in
    the user's quota already.
    """

    owner: Principal
    body: RequestBody
    options: Options
    table: str | None = None
    filename: str | None = None
    key: str | None = None
    previous: str | None = None
    counted: int = 0

    def read(self, write: Callable[[bytes], object]) -> "SubmittedFile":
        """Read the body, pass the file to `write`, and say what it is.

        Raises what `open` raises, before the bytes of the file are read, and what the body raises
        (`request_body.py`).
        """
        uploaded, filename, table = self.open()
        received = uploaded.receive(filename, write)
        filename = filename or f"{table}.csv"
        if self.key is None:
            return SubmittedFile(table, filename, received)
        digest = fingerprint(table, filename, self.options, received.sha256)
        return SubmittedFile(table, filename, received, digest)

    def open(self) -> tuple[UploadedFile, str, str]:
        """The file, read as far as it begins; its name, blank if it has none; and its table.

        Raises what `RequestBody.open` raises, BadFilename, TableNotNamed, UnknownTable and
        WrongColumns.
        """
        uploaded = self.body.open()
        filename = clean_filename(self.filename or uploaded.filename or "")
        table = table_for(self.table, filename)
        try:
            parse_columns(self.options.columns, get_table(table))
        except ValueError as error:
            raise WrongColumns(str(error)) from error
        return uploaded, filename, table

    def draft(
        self, upload_id: str, file: "SubmittedFile", limits: TableLimits, *, in_record: bool
    ) -> Upload:
        """The record of the upload, to be accepted by the store.

        The `limits` of its table hold, unless it corrects rejected rows: of those few, most may
        well be updates.
        """
        trace = current_trace()
        return Upload(
            id=upload_id,
            table=file.table,
            filename=file.filename,
            size=file.received.size,
            sha256=file.received.sha256,
            owner=self.owner.id,
            submitted_by=self.owner.email,
            submitted_at=now(),
            request_id=trace.request_id,
            traceparent=trace.traceparent,
            options=limits.fill(self.options) if self.previous is None else self.options,
            idempotency_key=self.key,
            previous=self.previous,
            in_record=in_record,
            is_workbook=file.received.is_workbook,
            fingerprint=file.fingerprint,
        )


@dataclass(frozen=True)
class SubmittedFile:
    """What was read of a submission; with a key, `fingerprint` is that of the request."""

    table: str
    filename: str
    received: ReceivedFile
    fingerprint: str | None = None


class Uploads:
    """Accepts uploads into the stores."""

    def __init__(
        self,
        stores: Stores,
        outbox: Outbox,
        admission: Admission,
        limits: Mapping[str, TableLimits],
        most_in_record: int = MOST_IN_RECORD,
    ) -> None:
        self._files, self._records = stores.files, stores.uploads
        self._outbox = outbox
        self._admission = admission
        self._limits = limits
        self._most_in_record = most_in_record

    def accept(self, submission: Submission) -> Acceptance:
        """Store the file and the record of it, both durable; returns the upload as accepted.

        The file comes before the record, so that a record always has its file; a file whose record
        never came is swept away. If the same request was sent before with its idempotency key,
        that upload is returned. Raises, before the body is read, what `Admission.take_place`
        raises; IdempotencyKeyInFlight, IdempotencyKeyReused, TooManyBytes, what `Submission.read`
        raises, ClientGone if the client has left meanwhile, and StoreUnavailable. Then nothing is
        accepted, and the key is free again.
        """
        place = self._admission.take_place(
            submission.owner.id, submission.key, submission.body.minimum, submission.counted
        )
        try:
            return accepted_once(
                self._records,
                submission.owner.id,
                submission.key,
                partial(self._take, submission, place),
                lambda: submission.read(_drop).fingerprint,
            )
        finally:
            place.leave()

    def enter(self, draft: Upload, place: Place, content: bytes | None = None) -> Upload:
        """Add the record to the store, durably, and announce it; returns the upload as accepted.

        Raises KeyTaken and StoreUnavailable.
        """
        upload = self._records.accept(draft, content)
        place.keep()
        ACCEPTED.labels(upload.table).inc()
        log.info("upload accepted", table=upload.table, kind=upload.kind, size=upload.size)
        self._outbox.try_publish(upload)
        return upload

    def _take(self, submission: Submission, place: Place, renew: Callable[[], None]) -> Acceptance:
        """Store and announce; `renew` is called again and again while the file is read."""
        upload_id = uuid.uuid4().hex
        bind_log_fields(upload_id=upload_id)
        with keeping(self._files, upload_id, self._most_in_record) as kept:

            def write(chunk: bytes) -> None:
                place.receive(len(chunk))
                kept.write(chunk)
                renew()

            file = submission.read(write)
        if submission.body.has_left():
            self._files.delete(upload_id)
            raise ClientGone("The client has closed the connection.")
        limits = self._limits.get(file.table, TableLimits())
        draft = submission.draft(upload_id, file, limits, in_record=kept.content is not None)
        try:
            return Acceptance(self.enter(draft, place, kept.content))
        except KeyTaken as taken:
            # The claim ran out and another call with the key was quicker.
            self._files.delete(upload_id)
            return same_request(taken.upload, file.fingerprint)


def _drop(_chunk: bytes) -> None:
    pass
