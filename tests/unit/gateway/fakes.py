"""Stand-ins for what the gateway talks to, and short ways to say what tests say often."""

# ruff: noqa: ARG002 - fakes take what their ports say

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from muster.broker import (
    BrokerUnavailable,
    DeadMessage,
    Delivery,
    Publication,
    QueueDepth,
    Verdict,
)
from muster.http.tokens import InvalidToken, KeysUnavailable, Principal


def principal_named(token: str) -> Principal:
    """`ana+uploads:write+uploads:read` is Ana with two permissions."""
    name, *permissions = token.split("+")
    if not name.isalpha():
        raise InvalidToken(token)
    return Principal(name, f"{name}@example.com", frozenset(permissions), 1, token, 1)


@dataclass
class WordTokens:
    """Believes words, and remembers which tokens were ended."""

    ended: set[str] = field(default_factory=set)
    no_keys: bool = False

    def verify(self, token: str) -> Principal:
        if token in self.ended:
            raise InvalidToken(token)
        return principal_named(token)

    def end(self, principal: Principal) -> None:
        self.ended.add(principal.token_id)

    def check(self) -> None:
        if self.no_keys:
            raise KeysUnavailable("auth is away")


def bearer(name: str, *permissions: str) -> dict[str, str]:
    return {"Authorization": "Bearer " + "+".join((name, *permissions))}


ANA = bearer("ana", "uploads:write", "uploads:read", "uploads:undo")
BOB = bearer("bob", "uploads:write", "uploads:read", "uploads:undo")
ADMIN = bearer("admin", "uploads:admin")
CSV = {"Content-Type": "text/csv"}


def stored_files(tmp_path: Path) -> list[str]:
    """The names of the files in the file store, whole or partial, or kept with records."""
    names = {path.name for path in (tmp_path / "store" / "files").glob("*/*")}
    records = tmp_path / "store" / "records.db"
    if records.exists():
        with closing(sqlite3.connect(records)) as connection:
            kept = "SELECT id FROM uploads JOIN contents USING (sequence)"
            names.update(name for (name,) in connection.execute(kept))
    return sorted(names)


@dataclass
class FakeBroker:
    """Remembers what was published; refuses while `down`."""

    published: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    down: bool = False
    attempts: int = 0

    def publish(self, routing_key: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.attempts += 1
        if self.down:
            raise BrokerUnavailable("down")
        self.published.append((routing_key, body, dict(headers)))

    def publish_each(self, publications: Sequence[Publication]) -> None:
        for publication in publications:
            self.publish(*publication)

    def consume(
        self,
        queue: str,
        handle: Callable[[Delivery], Verdict],
        *,
        stop: threading.Event,
        tick: Callable[[], None],
    ) -> None:
        raise NotImplementedError

    def depth(self, queue: str) -> QueueDepth:
        return QueueDepth(len(self.published), 0)

    def dead_letters(self, queue: str, limit: int) -> list[DeadMessage]:
        return []

    def replay_dead_letters(self, queue: str) -> int:
        return 0

    def check(self) -> None:
        if self.down:
            raise BrokerUnavailable("down")

    def close(self) -> None:
        pass
