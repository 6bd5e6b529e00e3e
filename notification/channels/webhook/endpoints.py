"""The endpoints of users: registered, changed and removed by those who own them."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from muster.database import Database
from notification.channels.webhook.addresses import AddressPolicy
from notification.channels.webhook.errors import EndpointNotFound, TooManyEndpoints
from notification.channels.webhook.events import EVENTS
from notification.channels.webhook.schema import deliveries, endpoints
from notification.channels.webhook.sealing import SecretBox, new_secret

MOST_OF_A_USER = 10
BOTH_SECRETS = timedelta(hours=24)
"""How long the secret before is used, too, once there is a new one."""

DISABLED_BY_OWNER = "the webhook was disabled"

Clock = Callable[[], int]
"""Gives the time in milliseconds since 1970."""


def now_ms() -> int:
    """The time now."""
    return time.time_ns() // 1_000_000


def in_utc(milliseconds: int) -> datetime:
    """The time as others have it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def as_text(milliseconds: int | None) -> str | None:
    """The time per RFC 3339, if there is one."""
    if milliseconds is None:
        return None
    return in_utc(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as its owner sees it. `secret` is there where it is shown, which is once."""

    id: str
    url: str
    description: str
    enabled: bool
    reason: str | None
    created_at: int
    failing_since: int | None
    secret: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The endpoint as the API shows it."""
        shown = {} if self.secret is None else {"secret": self.secret}
        return {
            "id": self.id,
            "url": self.url,
            "description": self.description,
            "events": list(EVENTS),
            "enabled": self.enabled,
            "reason": self.reason,
            "failing_since": as_text(self.failing_since),
            "created_at": as_text(self.created_at),
            **shown,
        }


@dataclass(frozen=True)
class Changes:
    """What to change of an endpoint; None leaves it as it is."""

    url: str | None = None
    description: str | None = None
    enabled: bool | None = None
    rotate_secret: bool = False


class Endpoints:
    """The endpoints in `database`. Each call may raise DatabaseUnavailable."""

    def __init__(
        self, database: Database, box: SecretBox, policy: AddressPolicy, clock: Clock = now_ms
    ) -> None:
        self._database = database
        self._box = box
        self._policy = policy
        self._clock = clock

    def all(self, owner: str) -> list[Endpoint]:
        """The user's endpoints, in the order in which they were registered."""
        query = select(endpoints).where(endpoints.c.owner == owner)
        query = query.order_by(endpoints.c.created_at, endpoints.c.id)
        with self._database.read() as connection:
            return [_endpoint_of(row) for row in connection.execute(query)]

    def get(self, owner: str, endpoint_id: str) -> Endpoint:
        """One of them; raises EndpointNotFound."""
        with self._database.read() as connection:
            return _endpoint_of(find(connection, owner, endpoint_id))

    def add(self, owner: str, url: str, description: str) -> Endpoint:
        """Register an endpoint; what is returned has its secret.

        Raises WrongUrl, TooManyEndpoints, and ConstraintViolated where another was registered in
        the same moment.
        """
        self._policy.check_url(url)
        endpoint = Endpoint(
            uuid.uuid4().hex, url, description, True, None, self._clock(), None, new_secret()
        )
        with self._database.write() as connection:
            taken = set(
                connection.scalars(select(endpoints.c.slot).where(endpoints.c.owner == owner))
            )
            free = next((slot for slot in range(MOST_OF_A_USER) if slot not in taken), None)
            if free is None:
                raise TooManyEndpoints(MOST_OF_A_USER)
            connection.execute(insert(endpoints).values(self._row_of(endpoint, owner, free)))
        return endpoint

    def change(self, owner: str, endpoint_id: str, changes: Changes) -> Endpoint:
        """Change one of them; with `rotate_secret`, what is returned has the new secret.

        What waits for one that is disabled is dead; one that is enabled is called at once again.
        Raises EndpointNotFound or WrongUrl.
        """
        if changes.url is not None:
            self._policy.check_url(changes.url)
        with self._database.write() as connection:
            row = find(connection, owner, endpoint_id, lock=True)
            secret = new_secret() if changes.rotate_secret else None
            values = {**_plain(changes), **self._rotated(row, secret), **_switched(row, changes)}
            if values:
                mine = endpoints.c.id == endpoint_id
                connection.execute(update(endpoints).where(mine).values(values))
            if changes.enabled is False:
                bury_waiting(connection, endpoint_id, DISABLED_BY_OWNER)
            changed = _endpoint_of(find(connection, owner, endpoint_id))
        return replace(changed, secret=secret)

    def delete(self, owner: str, endpoint_id: str) -> None:
        """Remove one of them with its deliveries; raises EndpointNotFound."""
        with self._database.write() as connection:
            find(connection, owner, endpoint_id, lock=True)
            connection.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))

    def _row_of(self, endpoint: Endpoint, owner: str, slot: int) -> dict[str, Any]:
        return {
            "id": endpoint.id,
            "owner": owner,
            "slot": slot,
            "url": endpoint.url,
            "description": endpoint.description,
            "secret": self._box.seal(endpoint.id, endpoint.secret or ""),
            "created_at": endpoint.created_at,
            "disabled": False,
            "failures": 0,
            "busy_until": 0,
        }

    def _rotated(self, row: Row[Any], secret: str | None) -> dict[str, Any]:
        if secret is None:
            return {}
        return {
            "secret": self._box.seal(row.id, secret),
            "former_secret": row.secret,
            "former_until": self._clock() + milliseconds(BOTH_SECRETS),
        }


def milliseconds(span: timedelta) -> int:
    """The span as times are kept."""
    return int(span.total_seconds() * 1000)


def find(connection: Connection, owner: str, endpoint_id: str, *, lock: bool = False) -> Row[Any]:
    """The row of a user's endpoint; raises EndpointNotFound."""
    mine = (endpoints.c.id == endpoint_id) & (endpoints.c.owner == owner)
    query = select(endpoints).where(mine)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise EndpointNotFound
    return row


def bury_waiting(connection: Connection, endpoint_id: str, reason: str) -> int:
    """Have the deliveries that wait for the endpoint be dead; returns how many they were."""
    waiting = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.state == "waiting")
    change = update(deliveries).where(waiting)
    return connection.execute(change.values(state="dead", next_at=None, reason=reason)).rowcount


def _plain(changes: Changes) -> dict[str, Any]:
    given = {"url": changes.url, "description": changes.description}
    return {name: value for name, value in given.items() if value is not None}


def _switched(row: Row[Any], changes: Changes) -> Mapping[str, Any]:
    """A new URL, or being enabled again, is a fresh start."""
    fresh = {"failures": 0, "failing_since": None}
    if changes.enabled is False:
        return {"disabled": True, "reason": DISABLED_BY_OWNER, "next_at": None}
    if changes.enabled and row.disabled:
        return {**fresh, "disabled": False, "reason": None}
    if changes.url is not None and not row.disabled:
        return {**fresh, "reason": None}
    return {}


def _endpoint_of(row: Row[Any]) -> Endpoint:
    return Endpoint(
        row.id,
        row.url,
        row.description,
        not row.disabled,
        row.reason,
        row.created_at,
        row.failing_since,
    )
