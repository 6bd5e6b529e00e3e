"""Deciding uploads in the ledger, for ever, and counting the attempts at those undecided."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from dbuploader.outcomes import Outcome
from dbuploader.repository import ledger
from dbuploader.repository.ledger import Attempt
from muster.contracts.uploads import Upload
from muster.crashpoints import Point, crash_point
from muster.database import ConstraintViolated, Database, DatabaseUnavailable

log = structlog.get_logger(__name__)


class Decisions:
    """The ledger, a transaction a call. Every call may raise DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, upload: Upload) -> Outcome | None:
        """The outcome, if it is decided."""
        with _bookkeeping(), self._database.read() as connection:
            return ledger.find_outcome(connection, upload.id)

    def decide(self, upload: Upload, outcome: Outcome) -> Outcome:
        """Make `outcome` the upload's, unless it has another: that is returned then.

        Also what was not loaded is decided in the ledger: a loader that is thought dead, but is
        not, can then no longer commit.
        """
        try:
            with self._database.write() as connection:
                ledger.insert_outcome(connection, upload, outcome)
        except ConstraintViolated:
            return self.find(upload) or outcome
        crash_point(Point.LOAD_DECIDED)
        return outcome

    def start_attempt(self, upload: Upload, attempt_id: str) -> Attempt:
        """Count the attempt, once however often it is told; the first is 1.

        It takes the place of one before it that was ended on request.
        """
        with _bookkeeping(), self._database.write() as connection:
            return ledger.start_attempt(connection, upload.id, attempt_id, upload.stopped_attempt)

    def keep_seconds(self, upload: Upload, seconds: float) -> None:
        """Note how long the upload's load has worked so far, if the database answers."""
        try:
            with self._database.write() as connection:
                ledger.keep_seconds(connection, upload.id, seconds)
        except DatabaseUnavailable as error:
            log.warning("the working time is not kept", error=repr(error))

    def take_back_attempt(self, upload: Upload, attempt_id: str, seconds: float) -> None:
        """Uncount an attempt that was ended on request.

        The `seconds` that its load has worked so far count all the same.
        """
        with _bookkeeping(), self._database.write() as connection:
            ledger.take_back_attempt(connection, upload.id, attempt_id)
            ledger.keep_seconds(connection, upload.id, seconds)


@contextmanager
def _bookkeeping() -> Iterator[None]:
    """What the database says no to here is never the file's mistake: it waits, and says so."""
    try:
        yield
    except DBAPIError as error:
        log.exception("the ledger can't be used")
        raise DatabaseUnavailable(str(error.orig)) from error
