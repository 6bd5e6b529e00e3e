"""The rules for accepting an upload: what a 202 promises."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from gateway.errors import KeyInFlight, KeyReused, WrongColumns
from gateway.receiving import Received, receive
from gateway.uploads.filenames import clean_filename, table_for
from gateway.uploads.idempotency import claimed, fingerprint
from gateway.uploads.outbox import Outbox
from gateway.uploads.request_body import Body
from muster.contracts.tables import get_table, tables
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options, Upload, now
from muster.crashpoints import Point, crash_point
from muster.csvstore import CsvStore, KeyTaken
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields, current_trace

log = structlog.get_logger(__name__)

ACCEPTED = Counter("muster_uploads_accepted_total", "Uploads accepted.", ("table",))
# From 0: a rate over a series that begins at its first event misses that event.
for _table in tables():
    ACCEPTED.labels(_table)


@dataclass(frozen=True)
class Submission:
    """What the uploader says beside the file: `table` and `filename` if not the file's own.

    `previous` is the upload whose rejected rows this one mends.
    """

    options: Options
    table: str | None = None
    filename: str | None = None
    key: str | None = None
    previous: str | None = None


@dataclass(frozen=True)
class _File:
    table: str
    filename: str
    received: Received
    fingerprint: str


class Uploads:
    """Accepts uploads into the store."""

    def __init__(self, store: CsvStore, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    def accept(self, owner: Principal, submission: Submission, body: Body) -> Upload:
        """Store the file in `body` and the record of it, both durable; returns it as accepted.

        The file comes before the record, so that a record always has its file; a file whose record
        never came is swept away. With an idempotency key that the same request came with before,
        the upload of then is returned. Raises KeyInFlight, KeyReused, the refusals of the body and
        of the names, and StoreUnavailable; then nothing is accepted, and the key is free again.
        """
        if submission.key is None:
            return self._take(owner, submission, body, lambda: None).as_accepted()
        try:
            with claimed(self._store, owner.id, submission.key) as renew:
                crash_point(Point.ACCEPT_KEY_CLAIMED)
                upload = self._take(owner, submission, body, renew)
        except KeyTaken as taken:
            if taken.upload is None:
                raise KeyInFlight from taken
            return self._repeat(taken.upload, submission, body).as_accepted()
        crash_point(Point.ACCEPT_KEY_RELEASED)
        return upload.as_accepted()

    def _take(
        self, owner: Principal, submission: Submission, body: Body, renew: Callable[[], None]
    ) -> Upload:
        upload_id = uuid.uuid4().hex
        bind_log_fields(upload_id=upload_id)
        with self._store.write_file(upload_id) as writer:

            def write(chunk: bytes) -> None:
                writer.write(chunk)
                renew()

            file = _read(submission, body, write)
            crash_point(Point.ACCEPT_FILE_WRITTEN)
        crash_point(Point.ACCEPT_FILE_STORED)
        draft = _draft(upload_id, owner, submission, file)
        try:
            upload = self._store.accept(draft)
        except KeyTaken as taken:
            # The claim ran out and another call with the key was quicker.
            self._store.delete_file(upload_id)
            return _same(taken.upload, file)
        crash_point(Point.ACCEPT_RECORD_STORED)
        ACCEPTED.labels(upload.table).inc()
        log.info("upload accepted", table=upload.table, size=upload.size)
        self._outbox.try_publish(upload)
        return upload

    def _repeat(self, first: Upload, submission: Submission, body: Body) -> Upload:
        return _same(first, _read(submission, body, _drop))


def _drop(_chunk: bytes) -> None:
    pass


def _same(first: Upload | None, file: _File) -> Upload:
    if first is None or first.fingerprint != file.fingerprint:
        raise KeyReused
    bind_log_fields(upload_id=first.id)
    return first


def _read(submission: Submission, body: Body, write: Callable[[bytes], None]) -> _File:
    part = body.open()
    filename = clean_filename(submission.filename or part.filename or "")
    table = table_for(submission.table, filename)
    try:
        parse_columns(submission.options.columns, get_table(table))
    except ValueError as error:
        raise WrongColumns(str(error)) from error
    received = receive(part, filename, body.limit, write)
    filename = filename or f"{table}.csv"
    digest = fingerprint(table, filename, submission.options, received.sha256)
    return _File(table, filename, received, digest)


def _draft(upload_id: str, owner: Principal, submission: Submission, file: _File) -> Upload:
    trace = current_trace()
    return Upload(
        id=upload_id,
        table=file.table,
        filename=file.filename,
        size=file.received.size,
        sha256=file.received.sha256,
        owner=owner.id,
        submitted_by=owner.email,
        submitted_at=now(),
        request_id=trace.request_id,
        traceparent=trace.traceparent,
        options=submission.options,
        idempotency_key=submission.key,
        previous=submission.previous,
        fingerprint=None if submission.key is None else file.fingerprint,
    )
