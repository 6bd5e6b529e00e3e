"""Reads that replicas answer, and that never go back.

A read that begins after a change was committed shows it, and so does one that begins after another
that showed it, whichever servers answer them. Two questions to the primary see to that:

- before, what it has committed: a replica that has not got there within a moment is passed over;
- after, whether it has committed all that the replica may have shown: a member of a group may be
  ahead of its primary, which still writes to its disk what the others have been sent.

If no replica gets there in time, the primary itself answers, by the same rule. If it is away nobody
answers: without it none knows what was committed last.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from typing import Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy import Connection, Table

from muster.adapters import Adapter, load_adapter
from muster.backends.servers import ServerRefused
from muster.database import DatabaseUnavailable, Reads, open_database

log = structlog.get_logger(__name__)

ADAPTERS = {"mysql": Adapter("muster.database.mysql.replicas", "open_servers", extra="mysql")}

READS = Counter(
    "muster_database_reads_total",
    "Reads by what answered: a replica, or the primary in place of one.",
    ["server"],
)

_LAG_SECONDS = 1.0
_REST_SECONDS = 5.0


class Server(Protocol):
    """One that has what was committed, up to a position that it can tell."""

    def read(self) -> AbstractContextManager[Connection]:
        """See Database.read; the view is that of the first statement that reads a table."""

    def reaches(self, connection: Connection, position: str, seconds: float) -> bool:
        """Whether all up to `position` is there, within `seconds`. No view begins by it."""

    def shown(self, connection: Connection) -> str:
        """The position of all that the connection's transaction may have shown, or a later one."""


class Primary(Protocol):
    """The server that takes writes, as it is asked about itself."""

    def position(self) -> str:
        """All that it has committed by now. Raises DatabaseUnavailable, also if it is no more."""

    def has(self, position: str, seconds: float) -> bool:
        """Whether all up to `position` is committed, within `seconds`."""


class ReadYourWrites:
    """Reads by the rule above, from `replicas` in turn, or else from `fallback`."""

    def __init__(
        self,
        primary: Primary,
        fallback: Server,
        replicas: Sequence[Server],
        close: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._primary = primary
        self._fallback = fallback
        self._replicas = replicas
        self.close = close
        self._clock = clock
        self._turns = count()
        self._rests_until: dict[int, float] = {}

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the data. Raises DatabaseUnavailable, also as the block ends."""
        position = self._primary.position()
        with ExitStack() as stack:
            server, connection = self._enter(stack, position)
            yield connection
            shown = server.shown(connection)
        if shown != position and not self._primary.has(shown, _LAG_SECONDS):
            self._rest(server)
            raise DatabaseUnavailable("a replica shows what its primary has not committed")
        READS.labels("primary" if server is self._fallback else "replica").inc()

    def _enter(self, stack: ExitStack, position: str) -> tuple[Server, Connection]:
        for server in (*self._in_turn(), self._fallback):
            try:
                with ExitStack() as opened:
                    connection = opened.enter_context(server.read())
                    if server.reaches(connection, position, _LAG_SECONDS):
                        stack.enter_context(opened.pop_all())
                        return server, connection
                    reason = "lags behind its primary"
            except ServerRefused:
                raise
            except DatabaseUnavailable as error:
                reason = str(error)
            log.warning("replica passed over", code="replica-passed-over", error=reason)
            self._rest(server)
        raise DatabaseUnavailable(f"neither a replica nor the primary answers: {reason}")

    def _in_turn(self) -> Iterator[Server]:
        first, now = next(self._turns), self._clock()
        for place in range(len(self._replicas)):
            server = self._replicas[(first + place) % len(self._replicas)]
            if self._rests_until.get(id(server), now) <= now:
                yield server

    def _rest(self, server: Server) -> None:
        """Ask others for a while, so that not each read waits for it."""
        self._rests_until[id(server)] = self._clock() + _REST_SECONDS


def open_reads(
    url: str, read_url: str, witness: Table, *, allow_multi_primary: bool = False
) -> Reads:
    """The database at `url` to read from; with a `read_url`, that of its replicas, from those.

    Connects at first use. `witness` is a table that is there. Raises ConfigurationError.
    """
    if not read_url:
        return open_database(url, allow_multi_primary=allow_multi_primary)
    for each in (url, read_url):
        open_servers = load_adapter("replicated database", each, ADAPTERS)
    primary, fallback, replicas, close = open_servers(url, read_url, witness, allow_multi_primary)
    return ReadYourWrites(primary, fallback, replicas, close)
