"""How an upload ends: the outcome that the ledger keeps, and each way in which a load can fail.

The codes are in `muster/contracts/error_codes.py`, the details of one upload here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from muster.contracts.uploads import (
    Cause,
    Failure,
    Impact,
    RowCounts,
    Source,
    State,
    UndoCounts,
    UploadWarning,
)
from muster.weather import Unavailable

MOST_ATTEMPTS = 3
MOST_INTERRUPTIONS = 10


class NotFinished(Exception):
    """A bug keeps the upload from its final state."""


@dataclass(frozen=True)
class UploadOutcome:
    """What the upload record will say once it is final.

    `rejects` names the load that has stored them, if there are any. `change` is the number of what
    it wrote in the journal, and `number` its own place there: the ledger gives both.
    """

    state: State
    rows: RowCounts = field(default_factory=RowCounts)
    causes: tuple[Cause, ...] = ()
    error: Failure | None = None
    warnings: tuple[UploadWarning, ...] = ()
    warnings_total: int = 0
    rejects: str | None = None
    impact: Impact | None = None
    undone: UndoCounts | None = None
    change: int | None = None
    source: Source | None = None
    number: int | None = None


FILE_ERASED = Failure(
    "file-erased",
    "A row that may stand in the file was erased after the dry run, and the file with it. Send a "
    "file without that row.",
)
FILE_MISSING = Failure("file-missing", "The file is not in the store: send it again.")
FILE_DAMAGED = Failure(
    "file-damaged", "Parts of the stored file are lost: send it again. Nothing was loaded."
)
CHANGED_MEANWHILE = Failure(
    "changed-meanwhile",
    "Others kept changing the same rows meanwhile. Upload the file again.",
)
STATEMENTS_ENDED = Failure(
    "too-slow",
    f"The database ended its statements {MOST_INTERRUPTIONS} times, as a limit of their time "
    "does. Nothing was loaded.",
)
TOO_MANY_ATTEMPTS = Failure(
    "too-many-attempts",
    f"Its load ended its process {MOST_ATTEMPTS} times. Nothing was loaded.",
)
INTERNAL_ERROR = Failure(
    "internal-error", "Something went wrong in the loader. Tell the operators."
)


UNDO_EXPIRED = Failure(
    "undo-expired",
    "The rows as they were before are no longer kept (MUSTER_UNDO_DAYS). Nothing was undone.",
)
NOTHING_TO_UNDO = Failure(
    "nothing-to-undo", "The upload wrote no row that could be taken back. Nothing was undone."
)


def already_undone(number: int) -> Failure:
    """The change of that number has taken back every row."""
    return Failure(
        "already-undone", f"Change {number} has taken back every row before. Nothing was undone."
    )


def undo_blocked(counts: UndoCounts) -> Failure:
    """What mode=all does not allow."""
    return Failure(
        "undo-blocked",
        f"Of {counts.written} rows {counts.kept} were changed later, and {counts.blocked} are "
        "referred to by others or referred to what is gone. Nothing was undone.",
    )


def rows_unlisted(listed: int, left: int, most_bytes: int) -> UploadWarning:
    """Not an end: of the rows that an undo has left, those listed fill the room for them."""
    return UploadWarning(
        "rows-unlisted",
        message=f"{listed} of the {left} rows that were kept or blocked are listed, which take the "
        f"{most_bytes} bytes that there are for them (MUSTER_MAX_REJECTS_BYTES)",
    )


def too_slow(seconds: float, most: float) -> Failure:
    """It has worked for `seconds`, and may for `most`."""
    return Failure(
        "too-slow",
        f"Its load has worked for {seconds:.0f} s and may for {most:.0f} s (MUSTER_LOAD_SECONDS). "
        "Nothing was loaded.",
    )


def too_many_rejects(rejected: int, most: int | None) -> Failure:
    """So many rows were rejected; the upload allows `most`."""
    return Failure(
        "too-many-rejects",
        f"{rejected} rows were rejected and at most {most} may be. Nothing was loaded.",
    )


def not_as_expected(unmet: Sequence[str]) -> Failure:
    """The clauses say which expectations the rows don't meet."""
    return Failure("expectation", f"{'; '.join(unmet)}. Nothing was loaded.")


def rejects_full(read: int, rejected: int, most_bytes: int) -> Failure:
    """The rejects of the rows read so far fill the room that there is for them."""
    return Failure(
        "too-many-rejects",
        f"Reading ended after {read} rows: the {rejected} that were rejected take the "
        f"{most_bytes} bytes that are kept of them (MUSTER_MAX_REJECTS_BYTES). Nothing was loaded.",
    )


def waiting_for(error: Unavailable) -> Failure:
    """Not an end: what the record of an unfinished upload says while its load waits."""
    detail = f"The {error.awaits} does not answer; the load goes on as soon as it does."
    return Failure(f"waiting-for-{error.awaits}", detail)
