"""Expiry: the rows as they were before old changes go, and with them the right to undo those.

What the changes were, and the keys that they wrote, stays.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, delete, select, update

from dbuploader.db.schema import changes, former_rows
from muster.database import Database, DatabaseUnavailable

log = structlog.get_logger(__name__)

_SWEEP_SECONDS = 3600.0
# In a transaction: so many changes, and beyond the first so many bytes, of which it has so many
# parts: each has a few MiB.
_CHANGES_AT_ONCE = 500
_BYTES_AT_ONCE = 64 * 1024**2
_PARTS_AT_ONCE = 16
# Beyond this no calendar goes back.
_LONGEST_DAYS = 365_000


class ChangeExpiry:
    """Has changes expire that are older than so many days, a few at each call, once an hour."""

    def __init__(
        self, database: Database, days: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._term = timedelta(days=min(days, _LONGEST_DAYS))
        self._clock = clock
        self._due = clock()
        # All that were made before have expired.
        self._since = datetime.min

    def run_if_due(self) -> None:
        """Have some expire if an hour has passed, or if some were left over."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + _SWEEP_SECONDS
        try:
            with self._database.write() as connection:
                expired = self._expire(connection)
        except DatabaseUnavailable as error:
            log.warning("old changes have not expired", error=repr(error))
            return
        if expired is not None:
            log.info("old changes have expired", changes=expired)
            self._due = self._clock()

    def _expire(self, connection: Connection) -> int | None:
        """How many have expired: none where one has lost some of its parts, None if none is old."""
        now = datetime.now(UTC).replace(tzinfo=None)
        columns = changes.c
        old = select(columns.number, columns.entry, columns.made_at, columns.former_bytes).where(
            columns.made_at >= self._since,
            columns.made_at < now - self._term,
            columns.expired_at.is_(None),
        )
        found = connection.execute(old.order_by(columns.made_at).limit(_CHANGES_AT_ONCE)).all()
        some = found[: _fitting([each.former_bytes for each in found])]
        if not some:
            return None
        # Until its last parts go it is no expired change: the next call finds it again.
        if some[0].former_bytes > _BYTES_AT_ONCE and _drop_parts(connection, some[0].entry):
            return 0
        entries = [each.entry for each in some]
        connection.execute(delete(former_rows).where(former_rows.c.entry.in_(entries)))
        numbers = columns.number.in_([each.number for each in some])
        connection.execute(update(changes).where(numbers).values(expired_at=now))
        self._since = some[-1].made_at
        return len(some)


def _drop_parts(connection: Connection, entry: str) -> bool:
    """Whether the entry has more than _PARTS_AT_ONCE, of which so many are gone now."""
    mine, part = former_rows.c.entry == entry, former_rows.c.part
    parts = select(part).where(mine).order_by(part).limit(_PARTS_AT_ONCE + 1)
    found = connection.scalars(parts).all()
    if len(found) <= _PARTS_AT_ONCE:
        return False
    connection.execute(delete(former_rows).where(mine, part < found[-1]))
    return True


def _fitting(sizes: list[int]) -> int:
    """How many of the first there are, at least one, that take _BYTES_AT_ONCE together."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > _BYTES_AT_ONCE:
            return count
    return len(sizes)
