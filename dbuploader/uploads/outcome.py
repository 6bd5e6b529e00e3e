"""How an upload ends, before it is told to anybody."""

from dataclasses import dataclass, field

from muster.contracts.uploads import Cause, Failure, RowCounts, State, UploadWarning


class NotFinished(Exception):
    """A mistake of ours keeps the upload from its final state."""


@dataclass(frozen=True)
class UploadOutcome:
    """What the upload record will say once it is final.

    `rejects` names the load that has stored them, if there are any.
    """

    state: State
    rows: RowCounts = field(default_factory=RowCounts)
    causes: tuple[Cause, ...] = ()
    error: Failure | None = None
    warnings: tuple[UploadWarning, ...] = ()
    warnings_total: int = 0
    rejects: str | None = None


def failed(
    code: str, detail: str, rows: RowCounts | None = None, causes: tuple[Cause, ...] = ()
) -> UploadOutcome:
    """A failure: nothing was written."""
    return UploadOutcome(State.FAILED, rows or RowCounts(), causes, Failure(code, detail))
