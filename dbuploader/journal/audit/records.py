"""The upload records and the files against the ledger."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from typing import Any

from sqlalchemy import Row, func, select

from dbuploader.db.schema import ledger
from dbuploader.journal.audit.evidence import Evidence, Finding, Findings, count, ledger_rows
from dbuploader.journal.receipts import claims_in, sent
from muster.contracts.rejects import ensure_whole, read_rejects
from muster.contracts.uploads import State, UnreadableRecord, Upload
from muster.filestore import FileNotStored
from muster.uploadstore import UploadNotFound
from muster.uploadstore.pages import upload_pages
from muster.weather import FileDamaged

_AT_ONCE = 100
_BLOCK = 1024 * 1024
_PAUSE_SECONDS = 0.2
_WITHOUT_FILE = {"file-missing", "file-damaged"}
_DATABASE_IS_OLDER = (
    "If the database was restored from an older backup than the records, stop the loader, run "
    "python -m dbuploader.uploads.reload, and start it: the uploads are loaded again, in order."
)
_RECORDS_ARE_OLDER = (
    "If the records were restored from an older backup than the database, the rows are loaded and "
    "stay. Whoever sent the file may send it again: its rows count as unchanged."
)
_FILES_ARE_OLDER = (
    "If the files were restored from an older backup than the records, the rows are loaded and "
    "stay. Copy the file back from a newer backup, or from the disk it was on."
)


def check_records(evidence: Evidence) -> Findings:
    """Each final record has its row in the ledger, each row its record, and they say the same."""
    matched = 0
    for page in upload_pages(evidence.stores.uploads, _AT_ONCE):
        rows = _rows_of(evidence, [upload.id for upload in page])
        for upload in page:
            row = rows.get(upload.id)
            matched += row is not None
            yield from _settled(evidence, upload, _check_record(evidence, row))
    if matched < count(evidence.connection, ledger):
        yield from _find_lost(evidence)


def check_files(evidence: Evidence) -> Findings:
    """The file of each upload is the one that was sent, and its rejects are there."""
    for upload in chain.from_iterable(upload_pages(evidence.stores.uploads, _AT_ONCE)):
        if upload.kind == "upload" and upload.state.is_final:
            yield from _settled(evidence, upload, _check_file(evidence))
        if upload.state.is_final:
            yield from _settled(evidence, upload, _check_rejects(evidence))


Check = Callable[[Upload], Findings]


def _settled(evidence: Evidence, upload: Upload, check: Check) -> Findings:
    """What the check finds of the record, and still does once nothing of it is in flight."""
    until = time.monotonic() + evidence.patience
    while found := [*check(upload)]:
        latest = evidence.stores.uploads.get(upload.id)
        if latest == upload and (upload.state.is_final or time.monotonic() > until):
            yield from found
            return
        if not latest.state.is_final:
            time.sleep(_PAUSE_SECONDS)
        upload = latest


def _rows_of(evidence: Evidence, ids: list[str]) -> dict[str, Row[Any]]:
    wanted = select(ledger).where(ledger.c.upload_id.in_(ids))
    return {row.upload_id: row for row in evidence.connection.execute(wanted)}


def _check_record(evidence: Evidence, row: Row[Any] | None) -> Check:
    def check(upload: Upload) -> Findings:
        if row is not None:
            yield from _compare(upload, row)
        elif upload.state.is_final and not _is_known_otherwise(evidence, upload):
            where = f"upload {upload.id}"
            yield Finding("records", where, "its row in the ledger", "none", _DATABASE_IS_OLDER)

    return check


def _is_known_otherwise(evidence: Evidence, upload: Upload) -> bool:
    """Whether it was decided since, or cancelled by a version that did not enter that."""
    mine = select(ledger.c.upload_id).where(ledger.c.upload_id == upload.id)
    with evidence.database.read() as connection:
        if connection.execute(mine).first() is not None:
            return True
    if upload.state is not State.CANCELLED or upload.finished_at is None:
        return False
    signed = select(func.min(ledger.c.decided_at)).where(ledger.c.receipt.is_not(None))
    begun = evidence.connection.scalar(signed)
    return begun is None or upload.finished_at.replace(tzinfo=None) < begun


def _compare(upload: Upload, row: Row[Any]) -> Findings:
    where = f"upload {upload.id}"
    if upload.state != row.state:
        yield Finding("records", f"{where}, state", row.state, upload.state.value)
        return
    counts = {name: getattr(row, name) for name in vars(upload.rows) if name != "read"}
    for name, expected in {"read": row.rows_read, **counts}.items():
        if getattr(upload.rows, name) != expected:
            counted = str(getattr(upload.rows, name))
            yield Finding("records", f"{where}, {name} rows", str(expected), counted)
    said = {"change": upload.change, "rejects": upload.rejects, "table_name": upload.table}
    said["error_code"] = upload.error.code if upload.error else None
    for name, value in said.items():
        if value != row._mapping[name]:
            yield Finding("records", f"{where}, {name}", str(row._mapping[name]), str(value))
    undone = None if row.undone is None else json.loads(row.undone)
    found = None if upload.undone is None else asdict(upload.undone)
    if found != undone:
        yield Finding("records", f"{where}, undone rows", str(undone), str(found))
    if row.receipt is not None:
        yield from _compare_receipt(upload, row)


def _compare_receipt(upload: Upload, row: Row[Any]) -> Findings:
    try:
        claims = claims_in(row.receipt)
    except ValueError:
        # Its signature is not valid either.
        return
    for name, value in sent(upload).items():
        if claims.get(name) != value:
            where = f"upload {upload.id}, {name} in its record"
            yield Finding("records", where, f"{claims.get(name)}, as in its receipt", str(value))


def _find_lost(evidence: Evidence) -> Findings:
    for row in ledger_rows(evidence.connection):
        try:
            evidence.stores.uploads.get(row.upload_id)
        except UploadNotFound:
            where = f"upload {row.upload_id}"
            yield Finding("records", where, "its record", "none", _RECORDS_ARE_OLDER)
        except UnreadableRecord as error:
            where = f"upload {row.upload_id}"
            yield Finding("records", where, "its record", f"one that can't be read: {error.reason}")


def _check_file(evidence: Evidence) -> Check:
    def check(upload: Upload) -> Findings:
        failed = upload.error.code if upload.error else None
        if upload.files_removed is not None or failed in _WITHOUT_FILE:
            return
        where = f"the file of upload {upload.id}"
        try:
            found = _sha256_of(evidence, upload)
        except (FileNotStored, FileDamaged) as error:
            yield Finding("files", where, "the file", f"none: {error!r}", _FILES_ARE_OLDER)
            return
        if found != upload.sha256:
            yield Finding("files", f"{where}, SHA-256", upload.sha256, found)

    return check


def _sha256_of(evidence: Evidence, upload: Upload) -> str:
    digest = hashlib.sha256()
    with evidence.stores.open_file(upload) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_rejects(evidence: Evidence) -> Check:
    def check(upload: Upload) -> Findings:
        if upload.rejects is None or upload.files_removed is not None:
            return
        where = f"the rejects of upload {upload.id}"
        try:
            with evidence.stores.files.open(upload.rejects_name) as stored:
                ensure_whole(stored)
                found = sum(1 for _ in read_rejects(stored)[1])
        except (FileNotStored, FileDamaged) as error:
            yield Finding("files", where, "the rejects", f"none: {error!r}", _FILES_ARE_OLDER)
            return
        expected = _rejects_expected(upload)
        if expected is not None and found != expected:
            yield Finding("files", where, f"{expected} rows", str(found))

    return check


def _rejects_expected(upload: Upload) -> int | None:
    """How many rows its rejects have; None if that stands nowhere, as of an undo that failed."""
    if upload.kind == "undo":
        return None if upload.undone is None else upload.undone.kept + upload.undone.blocked
    return upload.rows.rejected
