"""The ledger of decided uploads, and the count of attempts at those not yet decided."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, case, insert, select, update

from dbuploader.outcomes import Outcome
from dbuploader.repository.rows import upsert
from dbuploader.repository.schema import ledger, load_attempts
from muster.contracts.strict_json import Unreadable, read_json
from muster.contracts.uploads import (
    Cause,
    Failure,
    RowCounts,
    State,
    UnreadableRecord,
    Upload,
    UploadWarning,
)

_CAUSES = TypeAdapter(tuple[Cause, ...])
_WARNINGS = TypeAdapter(tuple[UploadWarning, ...])


class Attempt(NamedTuple):
    """The number of an attempt, from 1, and the seconds that those before have worked."""

    number: int
    seconds: float


def find_outcome(connection: Connection, upload_id: str) -> Outcome | None:
    """How the upload was decided; None if it was not yet.

    Raises UnreadableRecord where a version decided it of which this one knows too little.
    """
    row = connection.execute(select(ledger).where(ledger.c.upload_id == upload_id)).first()
    try:
        return None if row is None else _outcome_of(row)
    except (Unreadable, ValueError) as error:
        raise UnreadableRecord(f"the ledger: {error}", upload_id=upload_id) from None


def insert_outcome(connection: Connection, upload: Upload, outcome: Outcome) -> None:
    """Decide the upload; the database refuses (ConstraintViolated) if it was decided before."""
    keys = {"upload_id": upload.id, "table_name": upload.table}
    connection.execute(insert(ledger).values(**keys, **_values(outcome)))


def start_attempt(
    connection: Connection, upload_id: str, attempt_id: str, stopped_id: str | None
) -> Attempt:
    """Count the attempt; the first is 1.

    Not if it is the latest already, nor if the latest is `stopped_id`, whose place it takes.
    """
    attempts, latest = load_attempts.c.attempts, load_attempts.c.attempt_id
    counted = latest.in_([attempt_id, *([] if stopped_id is None else [stopped_id])])
    one_more = case((counted, attempts), else_=attempts + 1)
    # In this order: MySQL goes by the new value of a column that was set before.
    changes = upsert(
        connection,
        load_attempts,
        lambda new: {"attempts": one_more, "attempt_id": new["attempt_id"]},
    )
    connection.execute(
        changes.values(upload_id=upload_id, attempts=1, seconds=0, attempt_id=attempt_id)
    )
    mine = load_attempts.c.upload_id == upload_id
    found = connection.execute(select(attempts, load_attempts.c.seconds).where(mine)).one()
    return Attempt(int(found.attempts), float(found.seconds))


def take_back_attempt(connection: Connection, upload_id: str, attempt_id: str) -> None:
    """Uncount the attempt, which was ended on request, unless it is uncounted already."""
    mine = (load_attempts.c.upload_id == upload_id) & (load_attempts.c.attempt_id == attempt_id)
    fewer = load_attempts.c.attempts - 1
    connection.execute(update(load_attempts).where(mine).values(attempts=fewer, attempt_id=None))


def keep_seconds(connection: Connection, upload_id: str, seconds: float) -> None:
    """Note how long the load has worked in all its attempts."""
    mine = load_attempts.c.upload_id == upload_id
    connection.execute(update(load_attempts).where(mine).values(seconds=seconds))


def _values(outcome: Outcome) -> dict[str, Any]:
    rows = asdict(outcome.rows)
    return {
        "state": outcome.state.value,
        "rows_read": rows.pop("read"),
        **rows,
        "causes": json.dumps([asdict(cause) for cause in outcome.causes]),
        "error_code": outcome.error.code if outcome.error else None,
        "error_detail": outcome.error.detail if outcome.error else None,
        "warnings": json.dumps([asdict(warning) for warning in outcome.warnings]),
        "warnings_total": outcome.warnings_total,
        "rejects": outcome.rejects,
        "decided_at": datetime.now(UTC).replace(tzinfo=None),
    }


def _outcome_of(row: Row[Any]) -> Outcome:
    error = None if row.error_code is None else Failure(row.error_code, row.error_detail)
    return Outcome(
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
    )
