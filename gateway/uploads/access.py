"""Upload records as a user may see and change them: their own, or all for `uploads:admin`."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import NotFinished
from muster.contracts.rejects import ensure_whole
from muster.contracts.tables import get_table
from muster.contracts.uploads import UNFINISHED, State, UnreadableRecord, Upload
from muster.csvstore import CsvStore, FileDamaged, FileNotStored, UploadNotFound
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields

_MENDING = 20


@dataclass(frozen=True)
class Page:
    """Uploads, newest first, and the sequence below which the next page begins, if there is one."""

    uploads: list[Upload]
    next: int | None


class Records:
    """The uploads in `store`. Every call may raise StoreUnavailable."""

    def __init__(self, store: CsvStore) -> None:
        self._store = store

    def get(self, who: Principal, upload_id: str) -> Upload:
        """The upload; raises UploadNotFound for somebody else's as for one that is not there.

        Raises UnreadableRecord to whoever may see it.
        """
        try:
            upload = self._store.get(upload_id)
        except UnreadableRecord as error:
            if error.owner == who.id or _sees_all(who):
                raise
            raise UploadNotFound(upload_id) from None
        bind_log_fields(upload_id=upload.id)
        if not _sees(who, upload):
            raise UploadNotFound(upload_id)
        return upload

    def list(
        self,
        who: Principal,
        *,
        state: State | None,
        table: str | None,
        before: int | None,
        limit: int,
    ) -> Page:
        """At most `limit` uploads of a sequence below `before`. Raises UnknownTable."""
        found = self._store.find(
            owner=None if _sees_all(who) else who.id,
            state=state,
            table=None if table is None else get_table(table).name,
            before=before,
            limit=limit + 1,
        )
        more = len(found) > limit
        return Page(found[:limit], found[limit - 1].sequence if more else None)

    def mending(self, who: Principal, upload_id: str) -> Sequence[Upload]:
        """The latest 20 uploads that mend rejected rows of that one, newest first."""
        found = self._store.find_mending(upload_id, _MENDING)
        return [upload for upload in found if _sees(who, upload)]

    def cancel(self, who: Principal, upload_id: str) -> Upload:
        """Ask for the upload to be cancelled. Raises UploadNotFound, StateConflict once final."""
        upload = self.get(who, upload_id)
        return self._store.update(upload.id, expect=UNFINISHED, cancel_requested=True)

    def open_file(self, who: Principal, upload_id: str) -> tuple[Upload, BinaryIO]:
        """The upload and its file, from its start.

        Raises UploadNotFound, FileNotStored and FileDamaged.
        """
        upload = self.get(who, upload_id)
        file = self._store.open_file(upload.id)
        if (size := file.seek(0, io.SEEK_END)) != upload.size:
            file.close()
            raise FileDamaged(f"{upload.id} has {size} bytes and was sent with {upload.size}")
        file.seek(0)
        return upload, file

    def open_rejects(self, who: Principal, upload_id: str) -> tuple[Upload, BinaryIO | None]:
        """The upload and its stored rejects (muster/contracts/rejects.py), None if it has none.

        Raises UploadNotFound, NotFinished before the upload is final, FileNotStored where there
        were some, and FileDamaged.
        """
        upload = self.get(who, upload_id)
        if not upload.state.is_final:
            raise NotFinished(upload)
        try:
            stored = self._store.open_file(upload.rejects_name)
        except FileNotStored:
            if upload.rows.rejected:
                raise
            return upload, None
        try:
            ensure_whole(stored)
        except BaseException:
            stored.close()
            raise
        return upload, stored


def _sees(who: Principal, upload: Upload) -> bool:
    return upload.owner == who.id or _sees_all(who)


def _sees_all(who: Principal) -> bool:
    return who.may("uploads:admin")
