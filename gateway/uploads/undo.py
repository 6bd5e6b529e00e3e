"""Accepting an undo: what can be taken back, and the record that asks for it.

An undo is an upload without a file: it has a place in the queue and in its user's share, and is
loaded in its turn. What is refused here is known without the journal of changes; the loader, which
has it, decides for good.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gateway.errors import AlreadyUndone, NothingToUndo, NotUndoable, UndoExpired, UndoWaits
from gateway.uploads.accept import Uploads
from gateway.uploads.access import UploadAccess
from gateway.uploads.admission import Admission, Place
from gateway.uploads.idempotency import Acceptance, accepted_once, claimed, undo_fingerprint
from muster.contracts.uploads import Options, State, Upload, now
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields, current_trace
from muster.uploadstore import KeyTaken, UploadNotFound, UploadStore

# Of the claims, which else are of users and their idempotency keys. No user has this id.
_UNDOING = "undoing"
_MOST_WAITING = 20


@dataclass(frozen=True)
class UndoRequest:
    """A user asks to undo an upload; `key` is an idempotency key."""

    owner: Principal
    upload_id: str
    options: Options
    key: str | None = None

    def draft(self, undone: Upload) -> Upload:
        """The record of the undo, to be accepted by the store."""
        trace = current_trace()
        fingerprint = None if self.key is None else undo_fingerprint(undone.id, self.options)
        return Upload.without_file(
            "undo",
            undone.table,
            undone.filename,
            undoes=undone.id,
            owner=self.owner.id,
            submitted_by=self.owner.email,
            request_id=trace.request_id,
            traceparent=trace.traceparent,
            options=self.options,
            idempotency_key=self.key,
            fingerprint=fingerprint,
        )


class Undos:
    """Accepts undos of what was loaded within the last `days`."""

    def __init__(
        self,
        records: UploadStore,
        uploads: Uploads,
        access: UploadAccess,
        admission: Admission,
        days: float,
    ) -> None:
        self._records = records
        self._uploads = uploads
        self._access = access
        self._admission = admission
        self._kept = timedelta(days=days)
        self._days = days

    def accept(self, request: UndoRequest) -> Acceptance:
        """Store the record of the undo, durably; returns it as accepted.

        If the same request was sent before with its idempotency key, that undo is returned. Raises
        UploadNotFound if the user sees no such upload, what `Admission.take_place` and
        `accepted_once` raise, NothingToUndo, NotUndoable, UndoExpired, UndoWaits, AlreadyUndone,
        and StoreUnavailable. Then nothing is accepted.
        """
        undone = self._access.get(request.owner, request.upload_id)
        place = self._admission.take_place(request.owner.id, request.key)
        try:
            return accepted_once(
                self._records,
                request.owner.id,
                request.key,
                partial(self._take, request, undone, place),
                lambda: undo_fingerprint(undone.id, request.options),
            )
        finally:
            place.leave()

    def _take(
        self, request: UndoRequest, undone: Upload, place: Place, _renew: Callable[[], None]
    ) -> Acceptance:
        self._ensure_written(undone)
        with self._alone(request, undone):
            self._ensure_none_waits(request.owner, undone)
            self._ensure_in_effect(request.owner, undone)
            draft = request.draft(undone)
            bind_log_fields(upload_id=draft.id)
            return Acceptance(self._uploads.enter(draft, place))

    def _ensure_written(self, undone: Upload) -> None:
        """Raise unless it is known to have written rows that can still be taken back."""
        if undone.kind == "erasure":
            raise NotUndoable(undone)
        if undone.change is None and not _loaded_before_there_was_a_journal(undone):
            raise NothingToUndo(undone)
        if undone.change is None or now() - (undone.finished_at or now()) > self._kept:
            raise UndoExpired(undone, self._days)

    @contextmanager
    def _alone(self, request: UndoRequest, undone: Upload) -> Iterator[None]:
        """Of undos of one upload that come at once, let one in. A dry run is in nobody's way."""
        with ExitStack() as held:
            if not request.options.dry_run:
                try:
                    held.enter_context(claimed(self._records, _UNDOING, undone.id))
                except KeyTaken:
                    raise UndoWaits(None) from None
            yield

    def _ensure_none_waits(self, who: Principal, undone: Upload) -> None:
        for undo in self._records.find_undoing(undone.id, _MOST_WAITING):
            if not undo.state.is_final:
                raise UndoWaits(self._visible(who, undo))

    def _ensure_in_effect(self, who: Principal, undone: Upload) -> None:
        """Raise if all of it is taken back already: another undo would find nothing to do."""
        if undone.undone_by is None:
            return
        try:
            undo = self._records.get(undone.undone_by)
        except UploadNotFound:
            return
        if undo.state is State.COMPLETED and undo.undone_by is None:
            raise AlreadyUndone(self._visible(who, undo))

    def _visible(self, who: Principal, undo: Upload) -> Upload | None:
        return undo if self._access.sees(who, undo) else None


def _loaded_before_there_was_a_journal(upload: Upload) -> bool:
    was_loaded = upload.state in {State.COMPLETED, State.COMPLETED_WITH_REJECTS}
    written = upload.rows.inserted + upload.rows.updated
    return upload.kind == "upload" and was_loaded and written > 0
