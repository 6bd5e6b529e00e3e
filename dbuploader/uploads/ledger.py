"""The ledger: how each upload was decided, once and for all, and the attempts at those undecided.

The first to insert an upload's row decides it. The row is in the database of the loaded rows, so
that both are committed together.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar

import structlog
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, case, insert, select, update
from sqlalchemy.exc import DBAPIError

from dbuploader.db.rows import upsert
from dbuploader.db.schema import ledger, load_attempts
from dbuploader.journal.changes import (
    INSERTED,
    UPDATED,
    Author,
    ChangeRecorder,
    Head,
    Numbered,
    move_head,
    write_changes,
)
from dbuploader.journal.erasure import Tombstones
from dbuploader.journal.impact import Effect, lock_head_and_tell, with_holders
from dbuploader.journal.receipts import ReceiptSigner, digest
from dbuploader.merge.merge import KeysChanged
from dbuploader.uploads.outcome import UploadOutcome
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.uploads import (
    Cause,
    Failure,
    Impact,
    RowCounts,
    Source,
    State,
    UndoCounts,
    UnreadableRecord,
    Upload,
    UploadWarning,
)
from muster.database import ConstraintViolated, Database, DatabaseUnavailable

T = TypeVar("T")

log = structlog.get_logger(__name__)

_CAUSES = TypeAdapter(tuple[Cause, ...])
_WARNINGS = TypeAdapter(tuple[UploadWarning, ...])
_IMPACT = TypeAdapter(Impact)
_UNDONE = TypeAdapter(UndoCounts)
_SOURCE = TypeAdapter(Source)
_DECIDE = insert(ledger)


class Attempt(NamedTuple):
    """The number of an attempt, from 1, and the seconds that those before it have worked."""

    number: int
    seconds: float


class Decision(NamedTuple):
    """How an upload is decided, and what it did to the rows; None if it wrote none.

    Its impact is told of `effect`, if given, when it is decided. `undoes` is the number of the
    change that it takes back.
    """

    upload: Upload
    outcome: UploadOutcome
    changes: ChangeRecorder | None = None
    effect: Effect | None = None
    undoes: int | None = None


class Ledger:
    """Each call but `insert` is a transaction of its own, and may raise DatabaseUnavailable."""

    def __init__(self, database: Database, signer: ReceiptSigner) -> None:
        self._database = database
        self._signer = signer

    def find(self, upload: Upload) -> UploadOutcome | None:
        """How the upload was decided; None if it is not yet.

        Raises UnreadableRecord if another version decided it in a way that this one can't read.
        """
        with _bookkeeping(), self._database.read() as connection:
            mine = select(ledger).where(ledger.c.upload_id == upload.id)
            row = connection.execute(mine).first()
        try:
            return None if row is None else _outcome_of(row)
        except (Unreadable, ValueError) as error:
            raise UnreadableRecord(f"the ledger: {error}", upload_id=upload.id) from None

    def insert(
        self, connection: Connection, decisions: Sequence["Decision"]
    ) -> list[UploadOutcome]:
        """Decide uploads in the transaction that writes their rows, as its last act.

        Each gets the next number in the journal, where what it wrote is entered, and a receipt.
        Returns the outcomes with their numbers. Raises ConstraintViolated if one was decided
        before, and KeysChanged if a row that was written has been erased meanwhile.
        """
        effects = [decision.effect for decision in decisions]
        head, impacts = lock_head_and_tell(connection, effects)
        _ensure_not_erased(connection, decisions)
        numbered = [*enumerate(decisions, start=head.number + 1)]
        outcomes = [
            _numbered(number, decision, impact)
            for (number, decision), impact in zip(numbered, impacts, strict=True)
        ]
        write_changes(
            connection,
            [
                Numbered(number, author_of(decision), decision.changes)
                for number, decision in numbered
                if decision.changes is not None
            ],
        )
        decided = [
            (decision.upload, _values(decision.upload, outcome))
            for decision, outcome in zip(decisions, outcomes, strict=True)
        ]
        self._signer.publish_key(connection)
        receipts = [*self._signer.sign_each(decided, head.receipt)]
        rows = [
            {**row, "receipt": receipt} for (_, row), receipt in zip(decided, receipts, strict=True)
        ]
        connection.execute(_DECIDE, rows)
        move_head(connection, Head(head.number + len(rows), digest(receipts[-1])))
        return outcomes

    def decide(self, upload: Upload, outcome: UploadOutcome) -> UploadOutcome:
        """Make `outcome` the upload's, unless it already has another: that one is returned.

        An upload that is not loaded is decided in the ledger, too: a loader that is thought dead,
        but is not, can then no longer commit.
        """
        try:
            with self._database.write() as connection:
                (decided,) = self.insert(connection, [Decision(upload, outcome)])
        except ConstraintViolated:
            return self.find(upload) or outcome
        return decided

    def replace_messages(
        self,
        upload: Upload,
        causes: Sequence[Cause],
        warnings: Sequence[UploadWarning],
        error: Failure | None,
    ) -> None:
        """Have the upload's row say these, in place of what quotes its file."""
        values = {
            "causes": _json_of(causes),
            "warnings": _json_of(warnings),
            "error_detail": None if error is None else error.detail,
        }
        mine = update(ledger).where(ledger.c.upload_id == upload.id)
        with self._database.write() as connection:
            connection.execute(mine.values(values))

    def start_attempt(self, upload: Upload, attempt_id: str) -> Attempt:
        """Count the attempt, once however often this is called; the first is 1.

        It takes the place of an earlier one that was ended on request.
        """
        attempts, latest = load_attempts.c.attempts, load_attempts.c.attempt_id
        counted = latest.in_([attempt_id, *(upload.stopped_attempt or "").split()])
        one_more = case((counted, attempts), else_=attempts + 1)
        # In this order: MySQL goes by the new value of a column that was set before.
        with _bookkeeping(), self._database.write() as connection:
            changes = upsert(
                connection.dialect.name,
                load_attempts,
                lambda new: {"attempts": one_more, "attempt_id": new["attempt_id"]},
            )
            connection.execute(
                changes.values(upload_id=upload.id, attempts=1, seconds=0, attempt_id=attempt_id)
            )
            return _latest_attempt(connection, upload)

    def count_attempts(self, upload: Upload) -> Attempt:
        """The latest attempt, of which at least one is counted."""
        with _bookkeeping(), self._database.read() as connection:
            return _latest_attempt(connection, upload)

    def start_attempts(self, uploads: Sequence[Upload], attempt_id: str) -> int:
        """Count an attempt at each of the first uploads that none was made at; returns how many.

        Those behind the first that was attempted, or decided, are left alone. It is the same
        attempt however often this is called.
        """
        ids = [upload.id for upload in uploads]
        with _bookkeeping(), self._database.write() as connection:
            decided = select(ledger.c.upload_id).where(ledger.c.upload_id.in_(ids))
            attempted = select(load_attempts.c.upload_id, load_attempts.c.attempt_id).where(
                load_attempts.c.upload_id.in_(ids)
            )
            latest = {row.upload_id: row.attempt_id for row in connection.execute(attempted)}
            others = {upload_id for upload_id, by in latest.items() if by != attempt_id}
            taken = others.union(connection.scalars(decided))
            fresh = [*takewhile(lambda upload_id: upload_id not in taken, ids)]
            new = [upload_id for upload_id in fresh if upload_id not in latest]
            if new:
                values = {"attempts": 1, "seconds": 0, "attempt_id": attempt_id}
                connection.execute(
                    insert(load_attempts), [{"upload_id": each, **values} for each in new]
                )
        return len(fresh)

    def take_back_attempts(self, uploads: Sequence[Upload], attempt_id: str) -> None:
        """Uncount the attempt at each of the uploads for which it is counted."""
        with _bookkeeping(), self._database.write() as connection:
            _uncount(connection, uploads, attempt_id)

    def take_back_attempt(self, upload: Upload, attempt_id: str, seconds: float) -> None:
        """Uncount an attempt that was ended on request, unless it is uncounted already.

        The `seconds` that its load has worked so far count all the same: 0 if it never began.
        """
        with _bookkeeping(), self._database.write() as connection:
            _uncount(connection, [upload], attempt_id)
            if seconds:
                _keep_seconds(connection, upload, seconds)

    def keep_seconds(self, upload: Upload, seconds: float) -> None:
        """Note how long the upload's load has worked so far, if the database answers."""
        try:
            with self._database.write() as connection:
                _keep_seconds(connection, upload, seconds)
        except DatabaseUnavailable as error:
            log.warning("the working time is not kept", error=repr(error))


@contextmanager
def _bookkeeping() -> Iterator[None]:
    """What the database refuses here is never the file's fault: the upload waits, and says so."""
    try:
        yield
    except DBAPIError as error:
        log.exception("the ledger can't be used")
        raise DatabaseUnavailable(str(error.orig)) from error


def _attempts_at(upload: Upload) -> ColumnElement[bool]:
    return load_attempts.c.upload_id == upload.id


def _latest_attempt(connection: Connection, upload: Upload) -> Attempt:
    counted = select(load_attempts.c.attempts, load_attempts.c.seconds)
    found = connection.execute(counted.where(_attempts_at(upload))).one()
    return Attempt(int(found.attempts), float(found.seconds))


def _uncount(connection: Connection, uploads: Sequence[Upload], attempt_id: str) -> None:
    """Count the attempt no more at those of the uploads whose latest it is."""
    at_these = load_attempts.c.upload_id.in_([upload.id for upload in uploads])
    latest = load_attempts.c.attempt_id == attempt_id
    fewer = {"attempts": load_attempts.c.attempts - 1, "attempt_id": None}
    connection.execute(update(load_attempts).where(at_these & latest).values(fewer))


def _keep_seconds(connection: Connection, upload: Upload, seconds: float) -> None:
    connection.execute(update(load_attempts).where(_attempts_at(upload)).values(seconds=seconds))


def _ensure_not_erased(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Erasures that were committed since the uploads looked for them must not be undone by them."""
    written = [
        (decision.upload.sequence, decision.changes)
        for decision in decisions
        if decision.changes is not None and decision.changes.has_written
    ]
    if not written:
        return
    tombstones = Tombstones.after(connection, min(sequence for sequence, _ in written), lock=True)
    for sequence, changes in written:
        there = changes.keys[INSERTED] | changes.keys[UPDATED]
        if tombstones.keys(changes.table, sequence) & there:
            raise KeysChanged


def author_of(decision: Decision) -> Author:
    """Who makes the change that the upload is."""
    upload = decision.upload
    return Author(upload.id, upload.kind, upload.owner, upload.submitted_by, decision.undoes)


def _numbered(number: int, decision: Decision, told: Impact | None) -> UploadOutcome:
    changes, outcome = decision.changes, decision.outcome
    impact = outcome.impact if decision.effect is None else with_holders(told, outcome.impact)
    if changes is not None:
        change = number if changes.has_written else None
        return replace(outcome, number=number, change=change, impact=impact)
    # That of an erasure was made before.
    return replace(outcome, number=number, impact=impact)


def _values(upload: Upload, outcome: UploadOutcome) -> dict[str, Any]:
    rows = asdict(outcome.rows)
    return {
        "upload_id": upload.id,
        "table_name": upload.table,
        "state": outcome.state.value,
        "rows_read": rows.pop("read"),
        **rows,
        "causes": _json_of(outcome.causes),
        "error_code": outcome.error.code if outcome.error else None,
        "error_detail": outcome.error.detail if outcome.error else None,
        "warnings": _json_of(outcome.warnings),
        "warnings_total": outcome.warnings_total,
        "rejects": outcome.rejects,
        "number": outcome.number,
        "change": outcome.change,
        "impact": _json_or_none(_IMPACT, outcome.impact),
        "undone": _json_or_none(_UNDONE, outcome.undone),
        "source": _json_or_none(_SOURCE, outcome.source),
        "decided_at": datetime.now(UTC).replace(tzinfo=None),
    }


def _json_of(each: Sequence[Cause] | Sequence[UploadWarning]) -> str:
    return json.dumps([asdict(one) for one in each])


def _json_or_none(adapter: TypeAdapter[T], value: T | None) -> str | None:
    return None if value is None else adapter.dump_json(value).decode()


def _outcome_of(row: Row[Any]) -> UploadOutcome:
    error = None if row.error_code is None else Failure(row.error_code, row.error_detail)
    return UploadOutcome(
        state=State(row.state),
        rows=RowCounts(
            read=row.rows_read,
            inserted=row.inserted,
            updated=row.updated,
            unchanged=row.unchanged,
            rejected=row.rejected,
            unprocessed=row.unprocessed,
        ),
        causes=read_json(_CAUSES, row.causes),
        error=error,
        # A row of an older version has none.
        warnings=read_json(_WARNINGS, row.warnings or "[]"),
        warnings_total=row.warnings_total or 0,
        rejects=row.rejects,
        impact=None if row.impact is None else read_json(_IMPACT, row.impact),
        undone=None if row.undone is None else read_json(_UNDONE, row.undone),
        source=None if row.source is None else read_json(_SOURCE, row.source),
        change=row.change,
        number=row.number,
    )
