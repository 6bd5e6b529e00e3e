"""What the first pass over a file leaves for the second."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Self
from uuid import uuid4

from pyroaring import BitMap

from dbuploader.keys import Owners
from dbuploader.outcomes import Outcome
from dbuploader.rejected import RejectsFull, RejectSpool
from dbuploader.scratch import Scratch
from muster.contracts.rejects import Reject
from muster.contracts.tables import Table
from muster.contracts.uploads import MOST_WARNINGS, Failure, RowCounts, State, UploadWarning


class Checked:
    """What checking a file found so far; on disk but for what is bounded.

    Its rejects take at most `most_reject_bytes`. `only_inserted` are the keys of good rows that
    must not change a row that is there. `load` names its rejects in the store: a loader that is
    thought dead may store its own when another's are the upload's already.
    """

    def __init__(self, table: Table, most_reject_bytes: int, scratch: Scratch) -> None:
        with ExitStack() as resources:
            self.owners = resources.enter_context(Owners(table, scratch))
            self.rejects = resources.enter_context(RejectSpool(most_reject_bytes, scratch))
            self._resources = resources.pop_all()
        self.table = table
        self.load = uuid4().hex
        self.labels = table.column_names
        self.read = 0
        self.repeats = 0
        self.only_inserted = BitMap()
        self.warnings: list[UploadWarning] = []
        self.warnings_total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._resources.close()

    def clear(self) -> None:
        """Start again; the room on disk is given back."""
        self.owners.clear()
        self.rejects.clear()
        self.labels = self.table.column_names
        self.read = self.repeats = 0
        self.only_inserted = BitMap()
        self.warnings.clear()
        self.warnings_total = 0

    def count(self, records: int, rejects: Iterable[Reject]) -> None:
        """Take note of so many records more, of which `rejects` are rejected.

        Raises RejectsFull: then none counts as read from the first on whose reject is not kept.
        """
        self.read += records
        try:
            self.rejects.add(rejects)
        except RejectsFull as full:
            self.read = full.row - 1
            raise

    def warn(self, warnings: Sequence[UploadWarning], total: int | None = None) -> None:
        """Keep the first of all warnings, and the first of each code; count them all.

        Of `total` warnings, `warnings` are the first.
        """
        self.warnings_total += len(warnings) if total is None else total
        for warning in warnings:
            if len(self.warnings) < MOST_WARNINGS:
                self.warnings.append(warning)
            else:
                self._make_place_for(warning)

    def _make_place_for(self, warning: UploadWarning) -> None:
        """Keep the warning in the place of one of a code that has several, if its own has none."""
        codes = [each.code for each in self.warnings]
        if warning.code not in codes:
            last = max(place for place, code in enumerate(codes) if codes.count(code) > 1)
            self.warnings[last] = warning

    @property
    def load_with_rejects(self) -> str | None:
        """Whose rejects are the upload's: this load's, if it has any."""
        return self.load if len(self.rejects) else None

    def outcome(self, state: State, rows: RowCounts, error: Failure | None = None) -> Outcome:
        """How the upload ends in `state`, with what was found in its file."""
        return Outcome(
            state,
            rows,
            self.rejects.causes(),
            error,
            tuple(self.warnings),
            self.warnings_total,
            self.load_with_rejects,
        )

    def unloaded(self) -> RowCounts:
        """The counts if none of the rows is loaded."""
        rejected = len(self.rejects)
        return RowCounts(read=self.read, rejected=rejected, unprocessed=self.read - rejected)
