"""Undoing one upload: its change is taken back in one transaction, and what is left is stored."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from dbuploader.journal.changes import ChangeRecorder
from dbuploader.journal.impact import Effect, tell, with_holders
from dbuploader.journal.undo import (
    AlreadyUndone,
    NothingToUndo,
    Undo,
    UndoExpired,
    UndoPlan,
    find_holders,
)
from dbuploader.merge.background import BackgroundWorker
from dbuploader.metrics import LOAD_SECONDS
from dbuploader.uploads import outcome as failures
from dbuploader.uploads.attempt import Load, LoadServices
from dbuploader.uploads.ledger import Decision
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.progress import Progress
from dbuploader.validation.rejects import Rejects, RejectsFull
from muster.contracts.error_codes import RowErrorCode
from muster.contracts.rejects import CellError, Reject
from muster.contracts.uploads import Failure, Impact, RowCounts, State, UndoCounts, Upload

T = TypeVar("T")


class NotAll(Exception):
    """Some rows can't be undone, and the undo is for all or none."""

    def __init__(self, counts: UndoCounts) -> None:
        super().__init__(f"{counts.kept} kept, {counts.blocked} blocked")
        self.counts = counts


class UndoLoad(Load):
    """Takes back what the upload `undoes` has written.

    The rejects are the rows that are left as they are, as many as there is room for. They hold the
    key alone: the values may be somebody else's, and are in the table.
    """

    def __init__(self, upload: Upload, progress: Progress, services: LoadServices) -> None:
        rejects = Rejects(services.limits.reject_bytes, services.scratch)
        super().__init__(upload, progress, services, rejects)
        self._unlisted = Counter[str]()
        self._steps = self._reported = 0
        self._share = 0.0

    @property
    def _labels(self) -> tuple[str, ...]:
        return (self._table.key,)

    def _clear(self) -> None:
        super()._clear()
        self._unlisted.clear()

    def _failure_of(self, error: Exception) -> Failure | None:
        match error:
            case NothingToUndo():
                return failures.NOTHING_TO_UNDO
            case UndoExpired():
                return failures.UNDO_EXPIRED
            case AlreadyUndone():
                return failures.already_undone(error.by)
            case NotAll():
                return failures.undo_blocked(error.counts)
            case _:
                return super()._failure_of(error)

    def _pass(self) -> UploadOutcome:
        with self._progress.work.opening():
            decided = self._find_decided()
            if decided is not None:
                return decided
        self._clear()
        with self._progress.work.running(), self._room_given_back():
            self._progress.work.check()
            with LOAD_SECONDS.labels(self._table.name, "undoing").time():
                return self._try_out() if self._upload.options.dry_run else self._write()

    def _try_out(self) -> UploadOutcome:
        with self._database.read() as connection:
            undo = self._undo(connection)
            plan, impact = self._beside(connection, undo, partial(self._plan, connection, undo))
        return self._end_with(self._undone(State.VALIDATED, plan, impact))

    def _write(self) -> UploadOutcome:
        # Ends here if another loader was quicker, whose rejects must stay.
        self._progress.enter(State.LOADING)
        with self._transaction() as connection:
            changes = ChangeRecorder(connection, self._table, self._upload.id)
            undo = self._undo(connection)
            work = partial(self._take_back, connection, undo, changes)
            plan, impact = self._beside(connection, undo, work)
            self._before_commit()
            left = plan.kept or plan.blocked
            state = State.COMPLETED_WITH_REJECTS if left else State.COMPLETED
            outcome = self._undone(state, plan, impact)
            effect = Effect.of(changes, undo.differences)
            decision = Decision(self._upload, outcome, changes, effect, undoes=plan.number)
            outcome = self._decide_in(connection, decision)
        self._services.statistics.changed(self._table, len(plan.taken_back))
        return outcome

    def _undo(self, connection: Connection) -> Undo:
        undone = self._upload.undoes or ""
        return Undo(connection, self._table, undone, self._leave, self._count)

    def _plan(self, connection: Connection, undo: Undo) -> tuple[UndoPlan, Impact | None]:
        plan = undo.plan(lock=False)
        self._allow(plan)
        undo.try_out(plan)
        more = len(plan.absent) - len(plan.remove)
        effect = Effect.tried(self._upload.id, self._table, more, undo.differences)
        (told,) = tell(connection, [effect])
        return plan, with_holders(told, self._holders(connection, plan))

    def _take_back(
        self, connection: Connection, undo: Undo, changes: ChangeRecorder
    ) -> tuple[UndoPlan, Impact]:
        plan = undo.plan(lock=not self._services.database.writes_alone)
        self._allow(plan)
        undo.take_back(plan, changes, self._services.row_files, self._services.database)
        return plan, self._holders(connection, plan)

    def _allow(self, plan: UndoPlan) -> None:
        if self._upload.options.mode == "all" and (plan.kept or plan.blocked):
            raise NotAll(plan.counts)

    def _holders(self, connection: Connection, plan: UndoPlan) -> Impact:
        """That part of the impact which the ledger does not tell."""
        holders, total = find_holders(connection, self._table, plan)
        return Impact(holders=holders, holders_total=total)

    def _undone(self, state: State, plan: UndoPlan, impact: Impact | None) -> UploadOutcome:
        return replace(self._outcome(state, RowCounts()), undone=plan.counts, impact=impact)

    def _leave(
        self, code: RowErrorCode, rows: Iterable[tuple[int, str]], upload: str | None = None
    ) -> None:
        """Have the rows among the rejects, each with its key and a message about the upload.

        For those that do not fit none is kept.
        """
        key, left = self._table.key, iter(rows)
        try:
            self._rejects.add(
                Reject(0, row, (str(value),), None, (CellError(code, key, message, upload),))
                for row, (value, message) in enumerate(left, start=len(self._rejects) + 1)
            )
        except RejectsFull:
            self._unlisted[code] += 1 + sum(1 for _ in left)

    def _outcome(
        self, state: State, rows: RowCounts, error: Failure | None = None
    ) -> UploadOutcome:
        outcome = super()._outcome(state, rows, error)
        if not self._unlisted:
            return outcome
        listed, most = len(self._rejects), self._services.limits.reject_bytes
        warning = failures.rows_unlisted(listed, listed + self._unlisted.total(), most)
        causes = [replace(e, rows=e.rows + self._unlisted[e.code]) for e in outcome.causes]
        return replace(outcome, causes=tuple(causes), warnings=(warning,), warnings_total=1)

    def _beside(self, connection: Connection, undo: Undo, work: Callable[[], T]) -> T:
        """What `work` returns, made in a thread: this one reports, and heeds a wish to stop."""

        def interrupt() -> None:
            undo.interrupt()
            self._services.database.interrupt(connection)

        with BackgroundWorker(self._wait, interrupt=interrupt) as worker:
            return worker.result(worker.submit(work))

    def _count(self, share: float) -> None:
        self._share = share
        self._steps += 1

    def _wait(self) -> None:
        if self._steps == self._reported:
            self._progress.wait()
        else:
            self._reported = self._steps
            self._progress.reach(self._share)
