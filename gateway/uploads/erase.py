"""Accepting an erasure: the record that asks for it, and what dbuploader does of it at once.

An erasure is an upload without a file. dbuploader takes the row out of its database while the
client waits; what it can't do now, the loader does in the erasure's turn, with all the rest.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway.errors import NoSuchRow, RowReferred, UpstreamUnavailable
from gateway.proxy.forward import ask
from gateway.proxy.upstream import Upstream, UpstreamResponse
from gateway.uploads.accept import Uploads
from gateway.uploads.admission import Admission
from muster.contracts.tables import Table
from muster.contracts.uploads import UNFINISHED, Upload
from muster.http.tokens import Principal
from muster.observability.tracing import bind_log_fields, current_trace
from muster.uploadstore import StateConflict, UploadStore

log = structlog.get_logger(__name__)

_DONE, _REFERRED = 204, 409


@dataclass(frozen=True)
class AcceptedErasure:
    """The upload, and whether the row is in neither table, journal nor answers any more."""

    upload: Upload
    is_erased: bool


class RowErasures:
    """Accepts erasures of rows, in the name of the user whose request is being answered."""

    def __init__(
        self, records: UploadStore, uploads: Uploads, admission: Admission, dbuploader: Upstream
    ) -> None:
        self._records = records
        self._uploads = uploads
        self._admission = admission
        self._dbuploader = dbuploader

    def erase(self, who: Principal, table: Table, key: int) -> AcceptedErasure:
        """Accept the erasure, durably, and have the row taken out of the database.

        Raises NoSuchRow, RowReferred, UpstreamUnavailable where it can't be known whether the row
        can be erased, what `Admission.take_place` raises, and StoreUnavailable. Then nothing is
        accepted, save where others referred to the row just then: that erasure is cancelled.
        """
        path = f"/v1/tables/{table.name}/rows/{key}/erasure"
        _ensure_erasable(ask(self._dbuploader, "GET", path))
        upload = self._accept(who, table, key)
        try:
            is_erased = self._erase_now(path, upload)
        except RowReferred:
            # Otherwise it would be tried again in its turn, though its client has been refused.
            with suppress(StateConflict):
                self._records.update(upload.id, expect=UNFINISHED, cancel_requested=True)
            raise
        return AcceptedErasure(upload, is_erased)

    def _accept(self, who: Principal, table: Table, key: int) -> Upload:
        draft = _draft(who, table, key)
        bind_log_fields(upload_id=draft.id)
        place = self._admission.take_place(who.id, None)
        try:
            return self._uploads.enter(draft, place)
        finally:
            place.leave()

    def _erase_now(self, path: str, upload: Upload) -> bool:
        order = json.dumps({"upload": upload.id, "sequence": upload.sequence}).encode()
        try:
            answer = ask(self._dbuploader, "PUT", path, order)
        except UpstreamUnavailable:
            return False
        if answer.status == _REFERRED:
            raise RowReferred(_detail_of(answer))
        if answer.status != _DONE:
            log.warning("the row is left to the loader", status=answer.status)
        return answer.status == _DONE


def _draft(who: Principal, table: Table, key: int) -> Upload:
    trace = current_trace()
    return Upload.without_file(
        "erasure",
        table.name,
        f"{table.name} {key}",
        erases=key,
        owner=who.id,
        submitted_by=who.email,
        request_id=trace.request_id,
        traceparent=trace.traceparent,
    )


def _ensure_erasable(answer: UpstreamResponse) -> None:
    match answer.status:
        case 204:
            return
        case 404:
            raise NoSuchRow(_detail_of(answer))
        case 409:
            raise RowReferred(_detail_of(answer))
        case _:
            raise UpstreamUnavailable("dbuploader")


def _detail_of(answer: UpstreamResponse) -> str:
    return str(json.loads(answer.body)["detail"])
