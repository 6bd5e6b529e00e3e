"""Batches: up to 1000 rows, checked and written in one transaction, all or nothing."""

from collections.abc import Callable, Sequence
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

from dbuploader.arrow import to_batch
from dbuploader.batches.idempotency import BatchAnswer, BatchKey, ClaimLost, Claims
from dbuploader.batches.rows import (
    BatchRejected,
    BatchRowError,
    NumberedRows,
    check_rows,
    choose_errors,
    find_orphans,
    find_repeats,
)
from dbuploader.batches.suggestions import Suggestion, Suggestions
from dbuploader.db.statistics import Statistics
from dbuploader.journal.changes import Author, ChangeRecorder, enter
from dbuploader.merge.merge import Merge
from dbuploader.metrics import count_rows
from dbuploader.settings import BatchLimits
from muster.contracts.tables import Table
from muster.contracts.uploads import DateOrder
from muster.database import ConstraintViolated, Database, DatabaseUnavailable

T = TypeVar("T")

# A deadlock, or a row that somebody else was just adding, is gone when the batch is run again.
_retrying = retry(
    retry=retry_if_exception_type((DatabaseUnavailable, ConstraintViolated)),
    stop=stop_after_attempt(4) | stop_after_delay(5),
    wait=wait_random_exponential(multiplier=0.05, max=0.5),
    reraise=True,
)


@dataclass(frozen=True)
class CheckedRowError(BatchRowError):
    """An error, and what the cell may have been meant to hold."""

    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True)
class BatchCheck:
    """How many rows were checked; `errors` are some of the `errors_total` found."""

    read: int
    errors: Sequence[CheckedRowError]
    errors_total: int


class Batches:
    """Merges batches into the employment database; safe to share between threads."""

    def __init__(self, database: Database, limits: BatchLimits) -> None:
        self._database = database
        self._limits = limits
        self._claims = Claims(database, limits.keep_answers)
        self._statistics = Statistics(database)

    def merge(
        self, table: Table, rows: Sequence[object], key: BatchKey | None, author: Author
    ) -> BatchAnswer:
        """Write all `rows` or none, and say which; under a known `key`, the first answer again.

        It is a change of `author` in the journal.

        Raises DatabaseUnavailable or ConstraintViolated when the same batch may succeed later,
        and KeyReused or KeyInFlight.
        """
        if key is None:
            return _run(lambda: self._merge(table, rows, author, lambda _connection, _answer: None))
        claim = _run(lambda: self._claims.claim(key))
        if isinstance(claim, BatchAnswer):
            return claim

        def keep(connection: Connection, answer: BatchAnswer) -> None:
            self._claims.keep(connection, key, claim, answer)

        try:
            return _run(lambda: self._merge(table, rows, author, keep))
        except ClaimLost:
            return _run(lambda: self._claims.find_answer(key, claim))
        except BaseException:
            self._claims.release(key, claim)
            raise

    def check(
        self, table: Table, rows: Sequence[object], dates: DateOrder = "iso", *, may_name: bool
    ) -> BatchCheck:
        """What merge() would reject of `rows`, and write nothing. Raises DatabaseUnavailable.

        `dates` is the order of day and month; `may_name` lets suggestions name rows of tables.
        """
        good, errors = check_rows(table, rows, dates)
        with self._database.read() as connection:
            found = BatchRejected(_find_errors(connection, table, good, errors)).errors
            suggestions = Suggestions(connection, may_name=may_name)
            shown = [
                CheckedRowError(
                    **asdict(error), suggestions=_suggest(suggestions, table, rows, error)
                )
                for error in choose_errors(found, self._limits.errors)
            ]
        return BatchCheck(len(rows), shown, len(found))

    def _merge(
        self,
        table: Table,
        rows: Sequence[object],
        author: Author,
        keep: Callable[[Connection, BatchAnswer], None],
    ) -> BatchAnswer:
        good, errors = check_rows(table, rows)
        try:
            with self._database.write() as connection:
                changes = ChangeRecorder(connection, table, author.entry)
                counts = _write(connection, table, changes, good, errors)
                answer = BatchAnswer.accepted(counts)
                keep(connection, answer)
                enter(connection, author, changes)
        except BatchRejected as rejection:
            some = choose_errors(rejection.errors, self._limits.errors)
            answer = BatchAnswer.rejected(list(map(asdict, some)), len(rejection.errors))
            with self._database.write() as connection:
                keep(connection, answer)
            rejected = len({error.row for error in rejection.errors})
            counts = {"rejected": rejected, "unprocessed": len(rows) - rejected}
        else:
            self._statistics.changed(table, counts["inserted"] + counts["updated"])
            self._statistics.refresh()
        count_rows(table.name, counts)
        return answer


def _run(call: Callable[[], T]) -> T:
    result: T = _retrying(call)()
    return result


def _find_errors(
    connection: Connection, table: Table, rows: NumberedRows, errors: Sequence[BatchRowError]
) -> list[BatchRowError]:
    """The known `errors`, and what is wrong with `rows`, whose values are right."""
    _, repeat_errors = find_repeats(table, rows)
    return [*errors, *find_orphans(connection, table, rows), *repeat_errors]


def _suggest(
    suggestions: Suggestions, table: Table, rows: Sequence[object], error: BatchRowError
) -> tuple[Suggestion, ...]:
    row = rows[error.row - 1]
    text = row.get(error.column) if isinstance(row, dict) else None
    columns = [column for column in table.columns if column.name == error.column]
    if not columns or not isinstance(text, str) or error.code == "primary-key":
        return ()
    return suggestions.find(columns[0], text)


def _write(
    connection: Connection,
    table: Table,
    changes: ChangeRecorder,
    rows: NumberedRows,
    errors: Sequence[BatchRowError],
) -> dict[str, int]:
    if all_errors := _find_errors(connection, table, rows, errors):
        raise BatchRejected(all_errors)
    distinct, _ = find_repeats(table, rows)
    merge = Merge(connection, table, changes)
    merge.add(to_batch(table, distinct))
    merge.finish()
    counts = asdict(merge.counts)
    counts["unchanged"] += len(rows) - len(distinct)
    return {"read": len(rows), **counts}
