"""Batches: a few rows, checked and written at once in one transaction, all or nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from sqlalchemy import Connection
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from dbuploader.checking import check_object
from dbuploader.idempotency import BatchAnswer, ClaimLost, Claims
from dbuploader.merging import Merge
from dbuploader.references import References
from dbuploader.repository.answers import BatchKey
from dbuploader.repository.rows import PlainRow, to_plain
from muster.database import ConstraintViolated, Database, DatabaseUnavailable
from muster.rejects import CellError
from muster.tables import Table

T = TypeVar("T")

NumberedRows = Sequence[tuple[int, PlainRow]]
"""Rows with their number in the batch, from 1."""


@dataclass(frozen=True)
class RowError:
    """What is wrong with row number `row` of a batch."""

    row: int
    column: str | None
    code: str
    message: str


class BatchRejected(Exception):
    """Some rows are wrong, so none was written."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = sorted(errors, key=lambda error: error.row)


# A deadlock, or a row that somebody else was just adding, is gone when the batch is run again.
_retrying = retry(
    retry=retry_if_exception_type((DatabaseUnavailable, ConstraintViolated)),
    stop=stop_after_attempt(4) | stop_after_delay(5),
    wait=wait_random_exponential(multiplier=0.05, max=0.5),
    reraise=True,
)


class Batches:
    """Merges batches into the employment database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claims = Claims(database)

    def merge(self, table: Table, rows: Sequence[object], key: BatchKey | None) -> BatchAnswer:
        """Write all `rows` or none, and say which; under a known `key`, the first answer again.

        Raises DatabaseUnavailable or ConstraintViolated when the same batch may succeed later,
        and KeyReused or KeyInFlight.
        """
        if key is None:
            return _run(lambda: self._merge(table, rows, lambda _connection, _answer: None))
        claim = _run(lambda: self._claims.claim(key))
        if isinstance(claim, BatchAnswer):
            return claim

        def keep(connection: Connection, answer: BatchAnswer) -> None:
            self._claims.keep(connection, key, claim, answer)

        try:
            return _run(lambda: self._merge(table, rows, keep))
        except ClaimLost:
            return _run(lambda: self._claims.find_answer(key, claim))
        except BaseException:
            self._claims.release(key, claim)
            raise

    def _merge(
        self,
        table: Table,
        rows: Sequence[object],
        keep: Callable[[Connection, BatchAnswer], None],
    ) -> BatchAnswer:
        good, errors = _check(table, rows)
        try:
            with self._database.write() as connection:
                answer = BatchAnswer.accepted(_write(connection, table, good, errors))
                keep(connection, answer)
        except BatchRejected as rejection:
            answer = BatchAnswer.rejected([asdict(error) for error in rejection.errors])
            with self._database.write() as connection:
                keep(connection, answer)
        return answer


def _run(call: Callable[[], T]) -> T:
    result: T = _retrying(call)()
    return result


def _check(table: Table, rows: Sequence[object]) -> tuple[NumberedRows, list[RowError]]:
    good: list[tuple[int, PlainRow]] = []
    errors: list[RowError] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            message = f"row {number} is not an object: write the columns' names and values"
            errors.append(RowError(number, None, "type-error", message))
            continue
        checked = check_object(table, number, row)
        if isinstance(checked, list):
            errors += _numbered(number, checked)
        else:
            good.append((number, to_plain(checked)))
    return good, errors


def _write(
    connection: Connection, table: Table, rows: NumberedRows, errors: Sequence[RowError]
) -> dict[str, int]:
    references = References(table).errors(connection, [row for _, row in rows])
    distinct, repeat_errors = _find_repeats(table, rows)
    all_errors = [
        *errors,
        *(
            error
            for place, found in references.items()
            for error in _numbered(rows[place][0], found)
        ),
        *repeat_errors,
    ]
    if all_errors:
        raise BatchRejected(all_errors)
    merge = Merge(connection, table)
    merge.add(distinct)
    merge.finish()
    counts = asdict(merge.counts)
    counts["unchanged"] += len(rows) - len(distinct)
    return {"read": len(rows), **counts}


def _find_repeats(table: Table, rows: NumberedRows) -> tuple[list[PlainRow], list[RowError]]:
    """The rows with distinct keys, and those that give a key other values than before."""
    place = table.column_names.index(table.key)
    first: dict[int | str, tuple[int, PlainRow]] = {}
    errors = []
    for number, row in rows:
        owner, owned = first.setdefault(row[place], (number, row))
        if owned != row:
            message = f"row {owner} has the same {table.key} with other values: keep one of the two"
            errors.append(RowError(number, table.key, "primary-key", message))
    return [row for _, row in first.values()], errors


def _numbered(number: int, errors: Sequence[CellError]) -> list[RowError]:
    return [RowError(number, error.column, error.code, error.message) for error in errors]
