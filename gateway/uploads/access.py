"""Which uploads a user may see and change: their own, or all for `uploads:admin`."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import FilesNotKept, NoFile, NotCancellable, UnknownCursor, UploadNotFinished
from gateway.uploads.listing import UploadFilter, list_uploads
from muster.contracts.rejects import ensure_whole
from muster.contracts.tables import get_table
from muster.contracts.uploads import UNFINISHED, UnreadableRecord, Upload
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields
from muster.stores import Stores
from muster.uploadstore import UploadNotFound
from muster.weather import StoreUnavailable

_CORRECTIONS = 20


@dataclass(frozen=True)
class UploadPage:
    """Uploads, newest first, and the cursor of the next page, if there is one."""

    uploads: Sequence[Upload]
    next: str | None


class UploadAccess:
    """The uploads in `stores`, for the user who asks. Every call may raise StoreUnavailable."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._files, self._records = stores.files, stores.uploads

    def get(self, who: Principal, upload_id: str) -> Upload:
        """The upload; raises UploadNotFound if there is none, and for somebody else's.

        Raises UnreadableRecord to a user who may see it.
        """
        try:
            upload = self._records.get(upload_id)
        except UnreadableRecord as error:
            if error.owner == who.id or _sees_all(who):
                raise
            raise UploadNotFound(upload_id) from None
        bind_log_fields(upload_id=upload.id)
        if not self.sees(who, upload):
            raise UploadNotFound(upload_id)
        return upload

    def get_final(self, who: Principal, upload_id: str) -> Upload:
        """As get(); raises UploadNotFinished while the upload is not final."""
        upload = self.get(who, upload_id)
        if not upload.state.is_final:
            raise UploadNotFinished(upload)
        return upload

    def sees(self, who: Principal, upload: Upload) -> bool:
        """Whether the user may see the upload."""
        return upload.owner == who.id or _sees_all(who)

    def may_name(self, who: Principal, upload_id: str) -> bool:
        """Whether the user may be told of an upload of that id; not if that can't be known now."""
        if _sees_all(who):
            return True
        try:
            return self.sees(who, self._records.get(upload_id))
        except (UploadNotFound, UnreadableRecord, StoreUnavailable):
            return False

    def list(
        self, who: Principal, wanted: UploadFilter, *, cursor: str | None, limit: int
    ) -> UploadPage:
        """At most `limit` uploads, from where `cursor` says. Raises UnknownTable, UnknownCursor.

        There may be fewer on a page though others follow (`listing.py`).
        """
        if wanted.table is not None:
            get_table(wanted.table)
        before = None if cursor is None else _from_cursor(cursor)
        owner = None if _sees_all(who) else who.id
        found = list_uploads(self._records, owner, wanted, before, limit)
        more = None if found.before is None else _to_cursor(found.before)
        return UploadPage(found.uploads, more)

    def find_by_key(self, who: Principal, key: str) -> Upload | None:
        """The upload that came with the user's idempotency key."""
        return self._records.find_by_key(who.id, key)

    def corrections(self, who: Principal, upload_id: str) -> Sequence[Upload]:
        """The latest 20 uploads that correct rejected rows of that one, newest first."""
        found = self._records.find_corrections(upload_id, _CORRECTIONS)
        return [upload for upload in found if self.sees(who, upload)]

    def cancel(self, who: Principal, upload_id: str) -> Upload:
        """Ask for the upload to be cancelled.

        Raises UploadNotFound, StateConflict once final, and NotCancellable of an erasure: most of
        it is done already.
        """
        upload = self.get(who, upload_id)
        if upload.kind == "erasure" and not upload.state.is_final:
            raise NotCancellable
        return self._records.update(upload.id, expect=UNFINISHED, cancel_requested=True)

    def open_file(self, who: Principal, upload_id: str) -> tuple[Upload, BinaryIO]:
        """The upload and its file.

        Raises UploadNotFound, NoFile, FilesNotKept, FileNotStored and FileDamaged.
        """
        upload = self.get(who, upload_id)
        if upload.kind != "upload":
            raise NoFile(upload)
        _ensure_kept(upload)
        return upload, self._stores.open_file(upload)

    def open_rejects(self, who: Principal, upload_id: str) -> tuple[Upload, BinaryIO | None]:
        """The upload and its stored rejects (muster/contracts/rejects.py), None if it has none.

        Raises UploadNotFound, UploadNotFinished, FilesNotKept or FileNotStored if it had some, and
        FileDamaged.
        """
        upload = self.get_final(who, upload_id)
        if not upload.has_rejects:
            return upload, None
        _ensure_kept(upload)
        stored = self._files.open(upload.rejects_name)
        try:
            ensure_whole(stored)
        except BaseException:
            stored.close()
            raise
        return upload, stored


def _ensure_kept(upload: Upload) -> None:
    if upload.files_removed is not None:
        raise FilesNotKept(upload.files_removed)


def _sees_all(who: Principal) -> bool:
    return who.may("uploads:admin")


def _to_cursor(sequence: int) -> str:
    """Where uploads below `sequence` begin, as text that a client hands back unread."""
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnknownCursor from error
    if not text.isdigit() or len(text) > 18:
        raise UnknownCursor
    return int(text)
