"""The answers to batches that came with an idempotency key."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from dbuploader.repository.schema import batch_answers


@dataclass(frozen=True)
class BatchKey:
    """An owner's idempotency key, and the SHA-256 of the request that was sent with it."""

    owner: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Claimed:
    """What is kept under a key: who claimed it when (UTC), and the answer, if any."""

    fingerprint: str
    claim: str
    claimed_at: datetime
    status: int | None
    body: str | None


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


def forget(connection: Connection, key: BatchKey) -> None:
    """Remove the claim to the key, and its answer."""
    connection.execute(delete(batch_answers).where(_is(key)))


def forget_before(connection: Connection, time: datetime) -> int:
    """Remove what was claimed before that time (with its zone); returns how many there were."""
    moment = time.astimezone(UTC).replace(tzinfo=None)
    old = delete(batch_answers).where(batch_answers.c.claimed_at < moment)
    return connection.execute(old).rowcount


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


def _is(key: BatchKey) -> ColumnElement[bool]:
    columns = batch_answers.c
    return and_(columns.owner == key.owner, columns.idempotency_key == key.key)


def _new_claim() -> dict[str, Any]:
    return {"claim": uuid.uuid4().hex, "claimed_at": datetime.now(UTC).replace(tzinfo=None)}
