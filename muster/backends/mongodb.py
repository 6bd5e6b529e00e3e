"""How the stores reach MongoDB: what writes wait for, how long calls may take, who may wait.

The URL's options are pymongo's (https://www.mongodb.com/docs/manual/reference/connection-string/).
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from bson import CodecOptions, ObjectId
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from muster import weather
from muster.adapters import ConfigurationError
from muster.backends.servers import StoreRefused, too_old
from muster.backends.shared import Shared
from muster.weather import StoreUnavailable

log = structlog.get_logger(__name__)

Document = dict[str, Any]

# Each may be set in the URL instead. Not `timeoutMS`: under it the driver goes on trying to reach a
# server that is away until the whole time is up, and a caller is better told soon.
_DEFAULTS: Document = {
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 20_000,
    "appName": "muster",
}
_MAJORITY_MS = 15_000
LENIENT: CodecOptions[Document] = CodecOptions(
    unicode_decode_error_handler="surrogateescape",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Whatever a document holds, it can be taken from the wire, and so can those that come with it."""


class MongoConnection:
    """The database that `url` names, the URL of `port`; connects at first use.

    Then, and not again, it reads the server's version and takes the steps of `prepare_by`. Each
    call takes a place of `shared`. Writes are acknowledged by the majority, journaled, and reads
    see nothing less, whatever the URL says: a 202 depends on it. Raises ConfigurationError, without
    the URL's password.
    """

    def __init__(self, url: str, shared: Shared, port: str) -> None:
        self.url = url
        self._port = port
        self._parsed = parsed = _parsed(url, port)
        self._database = self._open()
        self._renewing = threading.Lock()
        self._hosts = ", ".join(f"{host}:{port}" for host, port in parsed["nodelist"])
        self._steps: list[Callable[[Database[Document]], None]] = []
        self._prepared = False
        # Reentrant, for calls within a call.
        self._trying = threading.RLock()
        self._is_away = False
        self._shared = shared

    def prepare_by(self, step: Callable[[Database[Document]], None]) -> None:
        """Have `step` make what is missing in the database, before it is used; once, or twice."""
        self._steps.append(step)
        self._prepared = False

    @contextmanager
    def using(self) -> Iterator[Database[Document]]:
        """The database; raises StoreUnavailable for what the driver raises in the block.

        Except for errors that lie in the document to be written. While the store is known to be
        away, one thread at a time tries to reach it, and all others are told so at once.
        """
        with self._shared.place(f"MongoDB at {self._hosts}"), self._trial():
            database = self._database
            try:
                self._prepare()
                yield database
            except PyMongoError as error:
                if isinstance(error, ServerSelectionTimeoutError):
                    self._is_away = True
                    self._renew(database)
                if getattr(error, "code", None) in weather.MONGODB_MISTAKES:
                    raise
                raise StoreUnavailable(f"MongoDB at {self._hosts}: {error}") from error

    def _open(self) -> Database[Document]:
        given = {name.lower() for name in self._parsed["options"]}
        defaults = {name: it for name, it in _DEFAULTS.items() if name.lower() not in given}
        client: MongoClient[Document] = MongoClient(self.url, connect=False, **defaults)
        return client.get_database(
            self._parsed["database"],
            codec_options=LENIENT,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True, wtimeout=_MAJORITY_MS),
        )

    def _renew(self, failed: Database[Document]) -> None:
        """Start again from the URL, if none of the servers that are known by now answers.

        The driver goes by the addresses that a replica set's members give each other, and forgets
        those of the URL. If all of them change at once, it would never find one again.
        https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-discovery-and-monitoring.md
        """
        with self._renewing:
            known = failed.client.topology_description.server_descriptions()
            if self._database is not failed or set(known) == set(self._parsed["nodelist"]):
                return
            self._database = self._open()
        log.warning("looking for MongoDB anew", dependency=self._port, error=f"none of {[*known]}")
        failed.client.close()

    @contextmanager
    def _trial(self) -> Iterator[None]:
        """The right to try to reach a store that is away; raises StoreUnavailable."""
        if self._is_away and self._has_primary():
            self._is_away = False
        if not self._is_away:
            yield
            return
        if not self._trying.acquire(blocking=False):
            raise StoreUnavailable(f"MongoDB at {self._hosts}: it is away")
        try:
            yield
        finally:
            self._trying.release()

    def _has_primary(self) -> bool:
        servers = self._database.client.topology_description.server_descriptions()
        return any(server.is_writable for server in servers.values())

    def ensure_current(self) -> None:
        """Return once the majority has taken a write: what is read from here on is up to date.

        Reads show what the majority has, as far as the primary knows. A primary that was cut off,
        and does not know of its successor, shows an older state: a write reveals it. Raises
        StoreUnavailable.
        """
        with self.using() as database:
            # `check` removes it, with the claims that have expired.
            database["claims"].insert_one({"_id": ObjectId(), "expires_at": time.time()})

    def check(self) -> None:
        """Return if the database can be read and written; raises StoreUnavailable."""
        # A write, and one that is due: it needs a primary and waits for the majority.
        with self.using() as database:
            database["claims"].delete_many({"expires_at": {"$lte": time.time()}})

    def close(self) -> None:
        """Close the connections."""
        self._database.client.close()

    def _prepare(self) -> None:
        # No lock: done twice it does no harm, and threads would queue for a server that is away.
        if self._prepared:
            return
        version = str(self._database.client.admin.command("buildInfo")["version"])
        complaint = too_old("MongoDB", version, self._hosts, self._port)
        if complaint is not None:
            raise StoreRefused(complaint)
        for step in self._steps:
            step(self._database)
        self._prepared = True


def connection_to(url: str, shared: Shared, port: str) -> MongoConnection:
    """The connection to `url` of all stores that share; errors say that it is the URL of `port`."""
    return shared.connection(url, lambda: MongoConnection(url, shared, port))


def _parsed(url: str, port: str) -> Mapping[str, Any]:
    try:
        parsed = parse_uri(url)
    except (PyMongoError, ValueError, TypeError):
        # Without its cause: what the driver says of the whole URL may show the password.
        raise ConfigurationError(f"The {port} URL can't be used: {_complaint(url)}.") from None
    if not parsed["database"]:
        raise ConfigurationError(
            f"The {port} URL names no database: write mongodb://host:port/database."
        )
    return parsed


def _complaint(url: str) -> str:
    """What is wrong with `url`, judged without its user name and password."""
    scheme, _, rest = url.partition("://")
    try:
        parse_uri(f"{scheme}://{rest.rpartition('@')[2]}")
    except (PyMongoError, ValueError, TypeError) as error:
        return str(error).rstrip(".")
    return "write special characters in the user name and password as %XX"
