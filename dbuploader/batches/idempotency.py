"""Batches with an idempotency key: claimed before they run, answered once, then repeated."""

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import structlog
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from dbuploader.db.schema import batch_answers
from muster.database import Database, DatabaseUnavailable

log = structlog.get_logger(__name__)

_SWEEP_SECONDS = 3600.0
CLAIM_SECONDS = 60
"""A claim that has no answer after this long is abandoned: its process died."""


class KeyReused(Exception):
    """The key was sent with another request before."""


class KeyInFlight(Exception):
    """The request with that key is being worked on."""


class ClaimLost(Exception):
    """The claim is answered or was taken over, so this transaction must not commit."""


@dataclass(frozen=True)
class BatchKey:
    """An owner's idempotency key, and the SHA-256 of the request that was sent with it."""

    owner: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class BatchAnswer:
    """What the caller is told: `status` is the HTTP status, `content` the counts or the errors.

    `is_replay` if it was told before, to the same request.
    """

    status: int
    content: Any
    is_replay: bool = False

    @classmethod
    def accepted(cls, counts: dict[str, int]) -> Self:
        """All rows are written."""
        return cls(200, counts)

    @classmethod
    def rejected(cls, errors: list[dict[str, Any]], total: int) -> Self:
        """None of the rows is written; `errors` are some of so many."""
        return cls(422, {"errors": errors, "errors_total": total})


@dataclass(frozen=True)
class Claimed:
    """What is kept under a key: who claimed it when (UTC), and the answer, if any."""

    fingerprint: str
    claim: str
    claimed_at: datetime
    status: int | None
    body: str | None


class Claims:
    """The claims and answers in the database; each holds for `term`."""

    def __init__(self, database: Database, term: timedelta) -> None:
        self._database = database
        self._term = term

    def claim(self, key: BatchKey) -> str | BatchAnswer:
        """The id of a claim that holds from now on, or the answer that is there already.

        Raises KeyReused, KeyInFlight, DatabaseUnavailable, or ConstraintViolated when another
        claimed the key in this moment.
        """
        with self._database.write() as connection:
            held = find_claim(connection, key, lock=True)
            if held is not None and _age(held) >= self._term:
                forget(connection, key)
                held = None
            if held is None:
                return insert_claim(connection, key)
            if held.fingerprint != key.fingerprint:
                raise KeyReused
            if held.status is not None:
                return BatchAnswer(held.status, json.loads(held.body or "null"), is_replay=True)
            if _age(held) < timedelta(seconds=CLAIM_SECONDS):
                raise KeyInFlight
            return take_over_claim(connection, key)

    def keep(self, connection: Connection, key: BatchKey, claim: str, answer: BatchAnswer) -> None:
        """Keep the answer in the transaction that writes the rows; raises ClaimLost."""
        body = json.dumps(answer.content)
        if not keep_answer(connection, key, claim, answer.status, body):
            raise ClaimLost

    def find_answer(self, key: BatchKey, claim: str) -> BatchAnswer:
        """The answer committed under `claim`, whose COMMIT was not answered; raises KeyInFlight."""
        with self._database.read() as connection:
            held = find_claim(connection, key, lock=False)
        if held is None or held.claim != claim or held.status is None:
            raise KeyInFlight
        return BatchAnswer(held.status, json.loads(held.body or "null"))

    def release(self, key: BatchKey, claim: str) -> None:
        """Let the key be used again at once; if that fails, the claim ends by its age."""
        with suppress(DatabaseUnavailable), self._database.write() as connection:
            release_claim(connection, key, claim)


class AnswerSweep:
    """Removes expired claims and answers, once an hour at most."""

    def __init__(
        self, database: Database, term: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._term = term
        self._clock = clock
        self._due = clock()

    def run_if_due(self) -> None:
        """Remove them if an hour has passed; if the database does not answer, an hour later."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + _SWEEP_SECONDS
        try:
            with self._database.write() as connection:
                removed = forget_before(connection, datetime.now(UTC) - self._term)
        except DatabaseUnavailable as error:
            log.warning("old answers to batches not removed", error=repr(error))
        else:
            log.info("old answers to batches removed", removed=removed)


def _age(claim: Claimed) -> timedelta:
    return datetime.now(UTC) - claim.claimed_at.replace(tzinfo=UTC)


def find_claim(connection: Connection, key: BatchKey, *, lock: bool) -> Claimed | None:
    """What is kept under the key, with `lock` until the transaction ends."""
    columns = batch_answers.c
    wanted = select(
        columns.fingerprint, columns.claim, columns.claimed_at, columns.status, columns.body
    )
    wanted = wanted.where(_is(key))
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    return None if row is None else Claimed(**row._mapping)


def insert_claim(connection: Connection, key: BatchKey) -> str:
    """Claim the key; returns the claim's id. The database refuses if another was quicker."""
    values = _new_claim()
    connection.execute(
        insert(batch_answers).values(
            owner=key.owner, idempotency_key=key.key, fingerprint=key.fingerprint, **values
        )
    )
    return str(values["claim"])


def take_over_claim(connection: Connection, key: BatchKey) -> str:
    """Claim a key that another has abandoned; returns the claim's id."""
    values = _new_claim()
    connection.execute(update(batch_answers).where(_is(key)).values(**values))
    return str(values["claim"])


def keep_answer(connection: Connection, key: BatchKey, claim: str, status: int, body: str) -> bool:
    """Keep the answer, unless the claim was taken over or answered: then returns False."""
    open_claim = and_(_is(key), batch_answers.c.claim == claim, batch_answers.c.status.is_(None))
    kept = update(batch_answers).where(open_claim).values(status=status, body=body)
    return connection.execute(kept).rowcount == 1


def release_claim(connection: Connection, key: BatchKey, claim: str) -> None:
    """Give up a claim that has no answer."""
    open_claim = and_(_is(key), batch_answers.c.claim == claim, batch_answers.c.status.is_(None))
    connection.execute(delete(batch_answers).where(open_claim))


def forget(connection: Connection, key: BatchKey) -> None:
    """Remove the claim to the key, and its answer."""
    connection.execute(delete(batch_answers).where(_is(key)))


def forget_before(connection: Connection, time: datetime) -> int:
    """Remove what was claimed before that time (with its zone); returns how many there were."""
    moment = time.astimezone(UTC).replace(tzinfo=None)
    old = delete(batch_answers).where(batch_answers.c.claimed_at < moment)
    return connection.execute(old).rowcount


def _is(key: BatchKey) -> ColumnElement[bool]:
    columns = batch_answers.c
    return and_(columns.owner == key.owner, columns.idempotency_key == key.key)


def _new_claim() -> dict[str, Any]:
    return {"claim": uuid.uuid4().hex, "claimed_at": datetime.now(UTC).replace(tzinfo=None)}
