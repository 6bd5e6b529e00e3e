"""Bugs to put in on purpose, one a promise: what the simulator is worth is which of them it finds.

Each replaces one rule by what somebody might have written, or once had. `python -m tests.simulator
--bug NAME` looks for one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mysql.connector import errors
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from dbuploader import consumer as loader_consumer
from dbuploader.db import schema
from dbuploader.db.rows import upsert
from dbuploader.db.schema import load_attempts
from dbuploader.merge.bulk import BulkMerge
from dbuploader.uploads.ledger import Attempt, Decision, Ledger
from dbuploader.uploads.outcome import UploadOutcome
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.validation.file import ValidationResult
from gateway.uploads.accept import Submission
from gateway.uploads.outbox import Outbox
from muster.broker import Ack, DeadLetter, Delivery, Retry, Verdict
from muster.broker.messaging import publish
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import EmailState, State, Upload
from muster.database import ConstraintViolated, Database, FilesRefused
from muster.database.mysql import MysqlDialect
from notification.channels.email import message
from notification.consumer import Handler
from notification.notifier import EmailOutcome, Notifier

Bug = Callable[[], AbstractContextManager[Any]]


def _marked_before_published(self: Any, upload: Upload) -> None:
    self._uploads.mark("published", [upload.id])
    publish(self._broker, UploadAccepted.about(upload), upload)


def _cleared_but_for_counts(self: ValidationResult) -> None:
    read, repeats = self.read, self.repeats
    _CLEAR(self)
    self.read, self.repeats = read, repeats


def _decided_again(
    self: Ledger, connection: Connection, decisions: Sequence[Decision]
) -> list[UploadOutcome]:
    # As if neither the ledger nor the journal refused a second entry.
    for table, column in (
        (schema.ledger, schema.ledger.c.upload_id),
        (schema.changes, schema.changes.c.entry),
    ):
        ids = [decision.upload.id for decision in decisions]
        connection.execute(delete(table).where(column.in_(ids)))
    return _INSERT(self, connection, decisions)


@contextmanager
def _ledger_not_asked() -> Iterator[None]:
    with (
        patch.object(Ledger, "find", lambda _self, _upload: None),
        patch.object(Ledger, "insert", _decided_again),
    ):
        yield


def _committing_finish(self: Any) -> None:
    _FINISH(self)
    driver: Any = self._connection.connection.driver_connection
    driver.execute("COMMIT")
    driver.execute("BEGIN IMMEDIATE")


def _only_the_one_named(self: Any, upload_id: str) -> None:
    self._finish(self._patiently(partial(self._uploads.get, upload_id)))


def _recorded_before_sent(self: Any, upload: Upload, *, is_last_try: bool = False) -> EmailOutcome:
    if upload.state.is_final and upload.email is None:
        self._record(upload, EmailState.SENT)
        self._channel.send(upload)
        return EmailOutcome.SENT
    return _NOTIFY(self, upload, is_last_try=is_last_try)


def _new_id_on_repeat(upload: Upload, sender: Any) -> str:
    name = _MESSAGE_ID(upload, sender)
    return name if upload.email is None else name.replace("<", "<again-")


def _uncounted(_self: Any, _upload: Upload, _attempt_id: str) -> Attempt:
    return Attempt(1, 0.0)


def _counted_without_identity(self: Any, upload: Upload, attempt_id: str) -> Attempt:
    attempts = load_attempts.c.attempts
    with self._database.write() as connection:
        one_more = upsert(
            connection.dialect.name, load_attempts, lambda _new: {"attempts": attempts + 1}
        )
        connection.execute(
            one_more.values(upload_id=upload.id, attempts=1, seconds=0, attempt_id=attempt_id)
        )
        mine = load_attempts.c.upload_id == upload.id
        found = connection.execute(select(attempts, load_attempts.c.seconds).where(mine)).one()
    return Attempt(int(found.attempts), float(found.seconds))


def _load_file_as_it_was(
    _self: Any,
    connection: Connection,
    table: str,
    columns: Sequence[str],
    path: Path,
    rows: Callable[[], int],
    *,
    replace: bool,
) -> None:
    del columns
    try:
        connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
        try:
            connection.exec_driver_sql(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table}")
        finally:
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 1")
    except DBAPIError as error:
        if isinstance(error.orig, errors.Error) and error.orig.errno == 1148:
            raise FilesRefused(str(error.orig)) from error
        raise
    del rows, replace


@contextmanager
def _own_errors_as_they_were(self: Any) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise ConstraintViolated(str(error.orig)) from error
    except DBAPIError as error:
        weather = self._dialect.weather_of(error)
        if weather is None:
            raise
        raise weather(str(error.orig)) from error


@contextmanager
def _load_data_as_it_was() -> Iterator[None]:
    with (
        patch.object(MysqlDialect, "load_file", _load_file_as_it_was),
        patch.object(Database, "_own_errors", _own_errors_as_they_were),
    ):
        yield


def _put_off_for_ever(self: Handler, delivery: Delivery) -> Verdict:
    verdict = _HANDLE_MAIL(self, delivery)
    return Retry(1.0) if isinstance(verdict, DeadLetter) else verdict


def _acknowledged_anyway(self: Any, delivery: Delivery) -> Verdict:
    verdict = _HANDLE(self, delivery)
    return Ack() if verdict == Retry(0) else verdict


@contextmanager
def _final_states_changed() -> Iterator[None]:
    every = frozenset(State)
    with (
        patch("dbuploader.uploads.progress.UNFINISHED", every),
        patch("dbuploader.uploads.processor.UNFINISHED", every),
    ):
        yield


def _without_its_key(self: Submission, *arguments: Any, **options: Any) -> Upload:
    upload = _DRAFT(self, *arguments, **options)
    object.__setattr__(upload, "idempotency_key", None)
    return upload


_CLEAR = ValidationResult.clear
_INSERT = Ledger.insert
_FINISH = BulkMerge.finish
_NOTIFY = Notifier.notify
_MESSAGE_ID = message._message_id
_HANDLE = loader_consumer.UploadConsumer.handle
_HANDLE_MAIL = Handler.__call__
_DRAFT = Submission.draft

BUGS: dict[str, tuple[str, Bug]] = {
    "outbox-marked-first": (
        "accepted is never lost",
        partial(patch.object, Outbox, "publish", _marked_before_published),
    ),
    "ack-when-stopped": (
        "accepted is never lost",
        partial(patch.object, loader_consumer.UploadConsumer, "handle", _acknowledged_anyway),
    ),
    "key-not-kept": (
        "one upload a key",
        partial(patch.object, Submission, "draft", _without_its_key),
    ),
    "counts-not-cleared": (
        "rows are conserved",
        partial(patch.object, ValidationResult, "clear", _cleared_but_for_counts),
    ),
    "ledger-not-asked": ("exactly once", _ledger_not_asked),
    "commit-in-between": (
        "all at once",
        partial(patch.object, BulkMerge, "finish", _committing_finish),
    ),
    "order-of-messages": (
        "in order",
        partial(patch.object, UploadProcessor, "process_up_to", _only_the_one_named),
    ),
    "email-recorded-first": (
        "at least one email",
        partial(patch.object, Notifier, "notify", _recorded_before_sent),
    ),
    "message-id-of-a-try": (
        "the same Message-ID",
        partial(patch.object, message, "_message_id", _new_id_on_repeat),
    ),
    "attempts-not-counted": (
        "a poison file ends",
        partial(patch.object, Ledger, "start_attempt", _uncounted),
    ),
    "attempt-counted-twice": (
        "weather costs no attempt",
        partial(patch.object, Ledger, "start_attempt", _counted_without_identity),
    ),
    "load-data-hides-weather": ("weather is not the file's", _load_data_as_it_was),
    "garbage-put-off": (
        "unreadable is set aside",
        partial(patch.object, Handler, "__call__", _put_off_for_ever),
    ),
    "final-state-overwritten": ("one final state", _final_states_changed),
}
"""By name: the promise that it breaks, and how it is put in."""


def put_in(name: str | None) -> AbstractContextManager[Any]:
    """Have the bug of that name in the rules within the block."""
    return nullcontext() if name is None else BUGS[name][1]()
