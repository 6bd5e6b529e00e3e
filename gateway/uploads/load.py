"""Loading what a dry run checked: another upload, of a copy of the file that was kept.

A copy, and not a reference: it is accepted, kept, expired and erased by the rules of any other
upload, and whatever becomes of the dry run's file takes nothing from it. What may have been erased
while it was copied, the loader sees in its turn (`dbuploader/uploads/load.py`).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import BinaryIO

from gateway.errors import FilesNotKept, NotADryRun, UploadNotFinished
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.admission import Admission, Place
from gateway.uploads.idempotency import Acceptance, accepted_once, load_fingerprint
from gateway.uploads.kept_file import MOST_IN_RECORD, keeping
from muster.contracts.uploads import State, Upload, now
from muster.filestore import FileNotStored
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields, current_trace
from muster.stores import Stores
from muster.uploadstore import KeyTaken
from muster.weather import FileDamaged

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class LoadRequest:
    """A user asks to load what a dry run checked; `key` is an idempotency key."""

    owner: Principal
    upload_id: str
    key: str | None = None

    def draft(self, dry_run: Upload, upload_id: str, *, in_record: bool) -> Upload:
        """The record of the load, to be accepted by the store."""
        trace = current_trace()
        return Upload(
            id=upload_id,
            table=dry_run.table,
            filename=dry_run.filename,
            size=dry_run.size,
            sha256=dry_run.sha256,
            owner=self.owner.id,
            submitted_by=self.owner.email,
            submitted_at=now(),
            request_id=trace.request_id,
            traceparent=trace.traceparent,
            options=replace(dry_run.options, dry_run=False),
            idempotency_key=self.key,
            fingerprint=None if self.key is None else load_fingerprint(dry_run.id),
            previous=dry_run.previous,
            in_record=in_record,
            is_workbook=dry_run.is_workbook,
            loads=dry_run.id,
        )


class DryRunLoads:
    """Accepts loads of what dry runs have checked."""

    def __init__(
        self,
        stores: Stores,
        uploads: Uploads,
        access: UploadAccess,
        admission: Admission,
        most_in_record: int = MOST_IN_RECORD,
    ) -> None:
        self._stores = stores
        self._uploads = uploads
        self._access = access
        self._admission = admission
        self._most_in_record = most_in_record

    def accept(self, request: LoadRequest) -> Acceptance:
        """Copy the file and store the record of the load, both durably; returns it as accepted.

        If the same request was sent before with its idempotency key, that load is returned. Raises
        UploadNotFound if the user sees no such upload, what `Admission.take_place` and
        `accepted_once` raise, NotADryRun, UploadNotFinished, FilesNotKept, FileNotStored,
        FileDamaged, TooManyBytes and StoreUnavailable. Then nothing is accepted.
        """
        dry_run = self._access.get(request.owner, request.upload_id)
        place = self._admission.take_place(request.owner.id, request.key, dry_run.size)
        try:
            return accepted_once(
                self._stores.uploads,
                request.owner.id,
                request.key,
                partial(self._take, request, dry_run, place),
                lambda: load_fingerprint(dry_run.id),
            )
        finally:
            place.leave()

    def _take(
        self, request: LoadRequest, dry_run: Upload, place: Place, renew: Callable[[], None]
    ) -> Acceptance:
        _ensure_loadable(dry_run)
        upload_id = uuid.uuid4().hex
        bind_log_fields(upload_id=upload_id)
        with (
            self._open(dry_run) as file,
            keeping(self._stores.files, upload_id, self._most_in_record) as kept,
        ):

            def write(chunk: bytes) -> None:
                place.receive(len(chunk))
                kept.write(chunk)
                renew()

            _copy(file, write, dry_run)
        draft = request.draft(dry_run, upload_id, in_record=kept.content is not None)
        try:
            return Acceptance(self._uploads.enter(draft, place, kept.content))
        except KeyTaken:
            # The claim ran out and another call with the key was quicker.
            self._stores.files.delete(upload_id)
            raise

    def _open(self, dry_run: Upload) -> BinaryIO:
        try:
            return self._stores.open_file(dry_run)
        except FileNotStored:
            # It may have been removed since the record was read.
            _ensure_loadable(self._stores.uploads.get(dry_run.id))
            raise


def _ensure_loadable(upload: Upload) -> None:
    if upload.kind != "upload" or not upload.options.dry_run:
        raise NotADryRun(upload)
    if not upload.state.is_final:
        raise UploadNotFinished(upload)
    if upload.state is not State.VALIDATED:
        raise NotADryRun(upload)
    if upload.files_removed is not None:
        raise FilesNotKept(upload.files_removed)


def _copy(file: BinaryIO, write: Callable[[bytes], None], upload: Upload) -> None:
    """Pass all of the file to `write`; raises FileDamaged if it is not as it was sent."""
    digest = sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        write(chunk)
    if digest.hexdigest() != upload.sha256:
        raise FileDamaged(f"the file of {upload.id} is not the one that was sent")
