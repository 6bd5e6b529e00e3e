"""Every error that the gateway answers with, and beside each the answer that it has over HTTP.

What the gateway itself raises is a `GatewayError`, whose class says which kind of problem it is.
What the shared package raises has its answer in `PROBLEMS`, at the end.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import structlog
from flask import Response, request
from pydantic import ValidationError

from muster.contracts.problems import PROBLEM_TYPES, ProblemKind
from muster.contracts.tables import InvalidKey, UnknownTable, tables
from muster.contracts.uploads import (
    PREVIEW_BYTES,
    FilesRemoved,
    Options,
    State,
    UnreadableRecord,
    Upload,
)
from muster.filestore import FileNotStored
from muster.http.client import ClientTooSlow
from muster.http.problems import Problem, invalid, too_slow, unavailable
from muster.uploadstore import StateConflict, UploadNotFound
from muster.weather import FileDamaged, StoreUnavailable

log = structlog.get_logger(__name__)


class GatewayError(Exception):
    """Why a request is turned away. Its message, or `detail` without one, is what the client reads.

    `retry_after` are the seconds after which it may be sent again.
    """

    kind: ClassVar[ProblemKind]
    detail: ClassVar[str] = ""
    retry_after: int | None = None

    def to_problem(self) -> Problem:
        """The answer."""
        retry = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Problem(self.kind, str(self) or self.detail, headers=retry)

    @property
    def status(self) -> int:
        """The status of the answer."""
        return PROBLEM_TYPES[self.kind].status


class InvalidField(GatewayError):
    """A field of the request can't be used; the message says why, and what to write."""

    field: ClassVar[str]

    def to_problem(self) -> Problem:
        """The answer, which names the field."""
        return invalid((self.field, str(self)))


class WrongColumns(InvalidField):
    """The option `columns` can't be used."""

    field = "columns"


class BadFilename(InvalidField):
    """A file name that can't be kept."""

    field = "filename"


class TableNotNamed(InvalidField):
    """Neither the option nor the file name says which table the file is for."""

    field = "table"

    def __init__(self) -> None:
        super().__init__(
            "Say which table the file is for: add ?table=NAME, or name the file NAME.csv. "
            f"The tables are {', '.join(tables())}."
        )


class PreviousNotFound(InvalidField):
    """The upload that is said to be corrected does not exist, or is somebody else's."""

    field = "previous"

    def __init__(self) -> None:
        super().__init__("there is no such upload")


class LengthNotGiven(InvalidField):
    """An upload in parts that doesn't say how long it is."""

    field = "Upload-Length"

    def __init__(self) -> None:
        super().__init__("say how many bytes all parts have together")


class UnknownCursor(InvalidField):
    """Not a cursor that the gateway gave."""

    field = "cursor"

    def __init__(self) -> None:
        super().__init__("not a cursor from here; leave it out to begin anew")


class TooLarge(GatewayError):
    """The file has more than `limit` bytes."""

    kind = "too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An upload may have {limit:,} bytes at most; cut the file into parts.")
        self.limit = limit


class TooLargeForPreview(TooLarge):
    """The file has more bytes than may be previewed."""

    def __init__(self, limit: int) -> None:
        GatewayError.__init__(
            self,
            f"A preview reads {limit:,} bytes at most. Of a text, send the first "
            f"{PREVIEW_BYTES:,} bytes; a larger workbook can be uploaded without a preview.",
        )
        self.limit = limit


class NotCsv(GatewayError):
    """The body is neither CSV nor a workbook; the message says what it is and what to send."""

    kind = "not-csv"


class NotAPart(GatewayError):
    """What is sent to an upload in parts has another media type than parts have."""

    kind = "not-a-part"

    def __init__(self, expected: str) -> None:
        super().__init__(f"Send a part of an upload with Content-Type: {expected}.")


class UnknownContentCoding(GatewayError):
    """The body has a content coding other than gzip."""

    kind = "unknown-encoding"

    def __init__(self, coding: str) -> None:
        super().__init__(f"The content coding {coding!r} is not known here: use gzip, or none.")

    def to_problem(self) -> Problem:
        """The answer, which says what is known (RFC 7694)."""
        problem = super().to_problem()
        problem.headers["Accept-Encoding"] = "gzip"
        return problem


class BadGzip(GatewayError):
    """What should be gzip is not, or ends too early."""

    kind = "bad-gzip"


class CutGzip(BadGzip):
    """Gzip that ends too early."""


class BadForm(GatewayError):
    """A multipart form that is malformed, has no part `file`, or has others."""

    kind = "bad-form"


class ClientGone(GatewayError):
    """The client broke off, or sent a body that is not framed as HTTP says."""

    kind = "incomplete-body"


class InvalidDigest(GatewayError):
    """The header with the digests of the body can't be read."""

    kind = "digest-invalid-values"
    detail = (
        "Write Content-Digest as RFC 9530 has it, such as sha-256=:…:, with all of the digest in "
        "base64. Known here are sha-256 and sha-512."
    )


class MismatchedDigest(GatewayError):
    """The body is not the one of which the client has sent the digest."""

    kind = "digest-mismatched-values"

    def __init__(self, algorithm: str) -> None:
        super().__init__(
            f"The body has another {algorithm} than Content-Digest says. Nothing of it was kept: "
            "send it again."
        )


class IdempotencyKeyInFlight(GatewayError):
    """Another request with the same idempotency key has not been answered yet."""

    kind = "idempotency-key-in-flight"
    detail = "A request with this Idempotency-Key is still being answered."
    retry_after = 1


class IdempotencyKeyReused(GatewayError):
    """The idempotency key belongs to another request."""

    kind = "idempotency-key-reused"
    detail = "This Idempotency-Key belongs to another request: take a new one for each."


class AppendInFlight(GatewayError):
    """Another request appends to the upload, or did until its gateway died."""

    kind = "append-in-flight"
    detail = "Another request is still sending a part of this upload: ask for the offset again."
    retry_after = 1


class OffsetMismatch(GatewayError):
    """What was sent does not begin where what has come ends, at `offset`."""

    kind = "mismatching-upload-offset"

    def __init__(self, offset: int, *, is_complete: bool = False) -> None:
        super().__init__(
            "All of the file has come."
            if is_complete
            else f"{offset:,} bytes of the file have come: go on from there."
        )
        self.offset = offset
        self.is_complete = is_complete

    def to_problem(self) -> Problem:
        """The answer, with the offset."""
        problem = super().to_problem()
        problem.headers["Upload-Offset"] = str(self.offset)
        problem.headers["Upload-Complete"] = "?1" if self.is_complete else "?0"
        return problem


class InconsistentLength(GatewayError):
    """The parts have more bytes, or fewer, than `Upload-Length` said."""

    kind = "inconsistent-upload-length"
    detail = "With this part the file has another length than Upload-Length said."


class UploadNotFinished(GatewayError):
    """The loader has not finished `upload`: there are neither rejects nor a receipt yet."""

    kind = "not-finished"
    retry_after = 1

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"The upload is {upload.state}: ask again once it is final.")


class FilesNotKept(GatewayError):
    """The file and the rejects of an upload are no longer kept."""

    kind = "file-removed"

    def __init__(self, removed: FilesRemoved) -> None:
        on = f"{removed.at:%Y-%m-%d}"
        super().__init__(
            f"A row that may stand in it was erased on {on}, and the file and the rejects with it. "
            "If others of its rows are missing, send a file without that one."
            if removed.why == "erased"
            else f"The file and the rejects were kept until {on}, and removed then. The counts are "
            "kept. If it should be loaded again, send the file again."
        )


class NoFile(GatewayError):
    """What takes rows away or back has no file."""

    kind = "not-found"

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"There is no file: this is an {upload.kind}, which is not made of one.")


class NotADryRun(GatewayError):
    """There is no dry run that checked a file to be loaded."""

    kind = "not-a-dry-run"

    def __init__(self, upload: Upload) -> None:
        super().__init__(_why_not_loadable(upload))


class NothingToUndo(GatewayError):
    """The upload has written no rows, or not yet."""

    kind = "nothing-to-undo"

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"The upload {_why_nothing(upload)}")


class NotUndoable(GatewayError):
    """An erasure is for good."""

    kind = "not-undoable"

    def __init__(self, upload: Upload) -> None:
        super().__init__(
            f"This is an {upload.kind}, which is for good: to have the row again, load it again."
        )


class UndoOfIt(GatewayError):
    """Another undo of the upload is in the way: `undo`, None if the user may not know of it."""

    def __init__(self, undo: Upload | None, detail: str) -> None:
        super().__init__(detail)
        self.undo = undo

    def to_problem(self) -> Problem:
        """The answer, which names the undo."""
        problem = super().to_problem()
        problem.extra["undo"] = None if self.undo is None else self.undo.id
        return problem


class UndoWaits(UndoOfIt):
    """An undo of the upload is not final yet, or is just being accepted."""

    kind = "undo-waits"
    retry_after = 5

    def __init__(self, undo: Upload | None) -> None:
        which = "Another undo" if undo is None else f"Its undo {undo.id}"
        super().__init__(
            undo, f"{which} is not final yet: wait for it, or cancel it, before you undo it again."
        )


class AlreadyUndone(UndoOfIt):
    """All that the upload wrote is taken back."""

    kind = "already-undone"

    def __init__(self, undo: Upload | None) -> None:
        how = (
            "another user has undone it, and can undo that"
            if undo is None
            else f"undo its undo, with POST /v1/uploads/{undo.id}/undo"
        )
        super().__init__(undo, f"All of it is undone. To have its rows back, {how}.")


class UndoExpired(GatewayError):
    """What the rows were before the upload is no longer kept, or never was."""

    kind = "undo-expired"

    def __init__(self, upload: Upload, days: float) -> None:
        why = (
            "It was loaded by a version of Muster that did not keep what the rows were before"
            if upload.change is None
            else f"What the rows were before it was kept for {days:g} days, and is gone"
        )
        super().__init__(f"{why}. Send a file with the rows as they should be.")


class NotCancellable(GatewayError):
    """An erasure ends by itself."""

    kind = "not-cancellable"
    detail = "The row is erased already: what is left is to remove the files that hold it."


class NoSuchRow(GatewayError):
    """The table has no such row, and never had one."""

    kind = "not-found"


class RowReferred(GatewayError):
    """The row can't be erased while others refer to it; the message names some."""

    kind = "row-referred"


class TooManyWaiters(GatewayError):
    """All places for requests that wait for uploads are taken."""

    kind = "too-many-waiters"
    detail = "No more requests can wait for uploads now; try again, or ask without waiting."
    retry_after = 5


class TooManyWaitersOfUser(GatewayError):
    """One user has as many waiting requests as a user may have."""

    kind = "too-many-of-yours"
    retry_after = 5

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} requests of yours wait for uploads, as many as may: end one, or ask without "
            "waiting."
        )


class TooManyUploads(GatewayError):
    """One user has as many uploads that are not final as a user may have."""

    kind = "too-many-uploads"
    retry_after = 5

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"As many of your uploads as may wait at once ({limit:,}) are not final yet. Nothing "
            "of this one was kept: send it again when one of them is final."
        )


class TooManyBytes(GatewayError):
    """One user has sent as many bytes as a user may send in a day, which ends in `seconds`."""

    kind = "too-many-bytes"

    def __init__(self, limit: int, seconds: int) -> None:
        self.retry_after = seconds
        super().__init__(
            f"With this upload you would have sent more than the {limit:,} bytes that a user may "
            "send in a day. Nothing of it was kept: send it again after midnight UTC."
        )


class QueueTooLong(GatewayError):
    """An upload has waited for `seconds` to be loaded, as long as any may before more are taken.

    It is `overdue` by so many. The longer that is, the less it helps to try again soon.
    """

    kind = "queue-too-long"

    def __init__(self, seconds: float, overdue: float) -> None:
        self.retry_after = min(max(1, math.ceil(overdue)), 60)
        super().__init__(
            f"Uploads wait to be loaded for more than {seconds:g} seconds now, so no more are "
            "taken. Nothing of this one was kept: send it again later."
        )


class TooManyPreviews(GatewayError):
    """As many workbooks are held for previews as may be, or one of the same user."""

    kind = "too-many-previews"
    detail = (
        "As many workbooks are previewed as may be at once, one of each user: ask again soon, or "
        "upload the file without a preview."
    )
    retry_after = 2


class UpstreamUnavailable(GatewayError):
    """A service did not answer, so that what was asked of it may or may not have been done."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service

    def to_problem(self) -> Problem:
        """503, naming the service."""
        return unavailable(f"The service {self.service}")


def from_validation(error: ValidationError) -> Response:
    """The answer to parameters that pydantic refuses."""
    return invalid(*map(_field_error, error.errors())).to_response()


def _field_error(found: Any) -> tuple[str, str]:
    # The name alone: a further step of the path is the branch of a union that was tried.
    field = str(found["loc"][0]) if found["loc"] else ""
    return field, found["msg"].removeprefix("Value error, ")


def _unknown_table(error: UnknownTable) -> Problem:
    # In the path it is what was asked for; elsewhere it is a field of the request.
    if "table" in (request.view_args or {}):
        return Problem("not-found", str(error))
    return invalid(("table", str(error)))


def _why_not_loadable(upload: Upload) -> str:
    match upload:
        case Upload(kind="undo", options=Options(dry_run=True)):
            return f"This was tried for an undo: POST /v1/uploads/{upload.undoes}/undo undoes it."
        case Upload(kind="undo" | "erasure"):
            return f"This is an {upload.kind}, which has no file to load."
        case Upload(options=Options(dry_run=False)):
            return "This was no dry run: what could be loaded of the file is. Send it again, if so."
    return f"The dry run is {upload.state}: correct the file, and send it again."


def _why_nothing(upload: Upload) -> str:
    if not upload.state.is_final:
        return (
            f"is {upload.state}: wait until it is final, or cancel it, which loads nothing of it."
        )
    match upload.state:
        case State.VALIDATED:
            return "was a dry run, which changes nothing: there is nothing to take back."
        case State.FAILED | State.CANCELLED:
            return f"is {upload.state}, and changed nothing: there is nothing to take back."
    return "changed no row of its table: there is nothing to take back."


def _state_conflict(error: StateConflict) -> Problem:
    return Problem(
        "already-final",
        f"The upload is {error.upload.state} and can't be cancelled any more.",
        state=error.upload.state,
    )


def _file_damaged(error: FileDamaged) -> Problem:
    log.error("the file is damaged", error=str(error))
    detail = "Parts of the stored file are lost. The operators are told; they may have a backup."
    return Problem("file-damaged", detail)


def _unreadable_record(_error: UnreadableRecord) -> Problem:
    return Problem(
        "record-set-aside",
        "This version can't read the record of the upload. Nothing of it is lost, and the "
        "operators are told: it goes on once they have seen to it.",
        headers={"Retry-After": "60"},
    )


def _not_found(detail: str) -> Callable[[Exception], Problem]:
    return lambda _error: Problem("not-found", detail)


PROBLEMS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    GatewayError: lambda error: error.to_problem(),
    ClientTooSlow: too_slow,
    UnknownTable: _unknown_table,
    InvalidKey: lambda error: invalid(("key", str(error))),
    UploadNotFound: _not_found("There is no such upload."),
    FileNotStored: _not_found("The file is not there any more."),
    FileDamaged: _file_damaged,
    UnreadableRecord: _unreadable_record,
    StateConflict: _state_conflict,
    StoreUnavailable: lambda _error: unavailable("The CSV store"),
}
"""What each error is over HTTP, for `muster.http.problems.answer_with`."""
