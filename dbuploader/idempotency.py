"""Batches with an idempotency key: claimed before they run, answered once, then only repeated."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection

from dbuploader.repository.answers import (
    BatchKey,
    find_claim,
    insert_claim,
    keep_answer,
    release_claim,
    take_over_claim,
)
from muster.database import Database, DatabaseUnavailable

CLAIM_SECONDS = 60
"""A claim without an answer for so long is abandoned: its process died."""


class KeyReused(Exception):
    """The key came with another request before."""


class KeyInFlight(Exception):
    """The request with that key is being worked on."""


class ClaimLost(Exception):
    """The claim is answered or was taken over, so this transaction must not take place."""


@dataclass(frozen=True)
class BatchAnswer:
    """What the caller is told: `status` is the HTTP status, `content` the counts or the errors."""

    status: int
    content: Any

    @classmethod
    def accepted(cls, counts: dict[str, int]) -> Self:
        """All rows are written."""
        return cls(200, counts)

    @classmethod
    def rejected(cls, errors: list[dict[str, Any]]) -> Self:
        """None of the rows is written."""
        return cls(422, errors)


class Claims:
    """The claims and answers in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, key: BatchKey) -> str | BatchAnswer:
        """The id of a claim that holds from now on, or the answer that is there already.

        Raises KeyReused, KeyInFlight, DatabaseUnavailable, or ConstraintViolated when another
        claimed the key in this moment.
        """
        with self._database.write() as connection:
            held = find_claim(connection, key, lock=True)
            if held is None:
                return insert_claim(connection, key)
            if held.fingerprint != key.fingerprint:
                raise KeyReused
            if held.status is not None:
                return BatchAnswer(held.status, json.loads(held.body or "null"))
            age = datetime.now(UTC) - held.claimed_at.replace(tzinfo=UTC)
            if age < timedelta(seconds=CLAIM_SECONDS):
                raise KeyInFlight
            return take_over_claim(connection, key)

    def keep(self, connection: Connection, key: BatchKey, claim: str, answer: BatchAnswer) -> None:
        """Keep the answer in the transaction that writes the rows; raises ClaimLost."""
        body = json.dumps(answer.content)
        if not keep_answer(connection, key, claim, answer.status, body):
            raise ClaimLost

    def find_answer(self, key: BatchKey, claim: str) -> BatchAnswer:
        """The answer committed under `claim`, of which nobody heard; raises KeyInFlight."""
        with self._database.read() as connection:
            held = find_claim(connection, key, lock=False)
        if held is None or held.claim != claim or held.status is None:
            raise KeyInFlight
        return BatchAnswer(held.status, json.loads(held.body or "null"))

    def release(self, key: BatchKey, claim: str) -> None:
        """Let the key be used again at once; if that fails, the claim ends by its age."""
        with suppress(DatabaseUnavailable), self._database.write() as connection:
            release_claim(connection, key, claim)
