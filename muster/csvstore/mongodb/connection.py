"""How the store reaches MongoDB: what writes wait for, how long calls may take, what is indexed."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from bson import CodecOptions, ObjectId
from bson.codec_options import DatetimeConversion
from pymongo import ASCENDING, DESCENDING, IndexModel, MongoClient, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from muster import weather
from muster.adapters import ConfigurationError
from muster.backends.servers import too_old
from muster.csvstore import StoreRefused, StoreUnavailable

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
# Where a store works, a place is free sooner than this.
_PLACE_SECONDS = 0.25
LENIENT: CodecOptions[Document] = CodecOptions(
    unicode_decode_error_handler="surrogateescape",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Whatever a document holds, it can be taken from the wire, and so can those that come with it."""

_INDEXES: Mapping[str, list[IndexModel]] = {
    "uploads": [
        IndexModel([("sequence", ASCENDING)], unique=True),
        IndexModel([("owner", ASCENDING), ("sequence", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("sequence", ASCENDING)]),
        IndexModel(
            [("owner", ASCENDING), ("idempotency_key", ASCENDING)],
            unique=True,
            # Not {"$type": "string"}, which the planner does not see to hold for a query by key.
            partialFilterExpression={"idempotency_key": {"$gte": ""}},
        ),
        IndexModel(
            [("published", ASCENDING), ("sequence", ASCENDING)],
            partialFilterExpression={"published": False},
        ),
        IndexModel(
            [("announced", ASCENDING), ("sequence", ASCENDING)],
            partialFilterExpression={"announced": False},
        ),
        IndexModel(
            [("cancel_requested", ASCENDING), ("state", ASCENDING), ("sequence", ASCENDING)],
            partialFilterExpression={"cancel_requested": True},
        ),
        IndexModel(
            [("previous", ASCENDING), ("sequence", ASCENDING)],
            partialFilterExpression={"previous": {"$gte": ""}},
        ),
        IndexModel([("set_aside", ASCENDING)], sparse=True),
    ],
    "csv.files": [IndexModel([("filename", ASCENDING), ("metadata.version", DESCENDING)])],
    "csv.chunks": [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)],
}


class Connection:
    """The database that `url` names; connects, and makes missing indexes and the counter, at first.

    Then, and not again, it reads which version the server has. At most `places` threads are in a
    call at once: one more waits briefly and is told that the store is unavailable, so that a store
    which hangs keeps some threads of a server free for what needs none.

    Writes are acknowledged by the majority, journaled, and reads see nothing less, whatever the URL
    says: a 202 depends on it. Raises ConfigurationError, without the URL's password.
    """

    def __init__(self, url: str, places: int | None = None) -> None:
        self._url = url
        self._parsed = parsed = _parsed(url)
        self._database = self._open()
        self._renewing = threading.Lock()
        self._hosts = ", ".join(f"{host}:{port}" for host, port in parsed["nodelist"])
        self._prepared = False
        # Reentrant, for calls within a call.
        self._trying = threading.RLock()
        self._inside = threading.local()
        self._is_away = False
        self._places = None if places is None else threading.BoundedSemaphore(places)

    @contextmanager
    def using(self) -> Iterator[Database[Document]]:
        """The database; raises StoreUnavailable for what the driver raises in the block.

        But for what lies in the document that was to be written. While the store is known to be
        away, one thread at a time tries to reach it, and all others are told so at once.
        """
        with self._place(), self._trial():
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
        client: MongoClient[Document] = MongoClient(self._url, connect=False, **defaults)
        return client.get_database(
            self._parsed["database"],
            codec_options=LENIENT,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True, wtimeout=_MAJORITY_MS),
        )

    def _renew(self, failed: Database[Document]) -> None:
        """Begin anew from the URL, where none of the servers answers that are known by now.

        The driver goes by the addresses that a replica set's members give each other, and forgets
        those of the URL. Where all of them have become others at once, it would never find one.
        https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-discovery-and-monitoring.md
        """
        with self._renewing:
            known = failed.client.topology_description.server_descriptions()
            if self._database is not failed or set(known) == set(self._parsed["nodelist"]):
                return
            self._database = self._open()
        log.warning("looking for MongoDB anew", dependency="CSV store", error=f"none of {[*known]}")
        failed.client.close()

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places; raises StoreUnavailable while there is none."""
        # What a call does may be made of calls, which go on in its place.
        if self._places is None or getattr(self._inside, "is_so", False):
            yield
            return
        if not self._places.acquire(timeout=_PLACE_SECONDS):
            raise StoreUnavailable(f"MongoDB at {self._hosts}: too many wait for it already")
        self._inside.is_so = True
        try:
            yield
        finally:
            self._inside.is_so = False
            self._places.release()

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

        Reads are of what the majority has, as the primary knows it; one that was cut off and does
        not know that there is another gives what was so before. A write shows whether it is such a
        one. Raises StoreUnavailable.
        """
        with self.using() as database:
            # Removed with the claims whose time is over.
            database["claims"].insert_one({"_id": ObjectId(), "expires_at": time.time()})

    def close(self) -> None:
        """Close the connections."""
        self._database.client.close()

    def _prepare(self) -> None:
        # No lock: done twice it does no harm, and threads would queue for a server that is away.
        if self._prepared:
            return
        version = str(self._database.client.admin.command("buildInfo")["version"])
        complaint = too_old("MongoDB", version, self._hosts, "CSV store")
        if complaint is not None:
            raise StoreRefused(complaint)
        for collection, indexes in _INDEXES.items():
            self._database[collection].create_indexes(indexes)
        with suppress(DuplicateKeyError):
            self._database["counters"].update_one(
                {"_id": "uploads"}, {"$setOnInsert": {"value": 0}}, upsert=True
            )
        self._prepared = True


def next_sequence(database: Database[Document]) -> int:
    """A number greater than every one that this gave before; some are left out."""
    document: Any = database["counters"].find_one_and_update(
        {"_id": "uploads"}, {"$inc": {"value": 1}}, return_document=ReturnDocument.AFTER
    )
    if document is None:
        raise StoreUnavailable("the counter of uploads is gone")
    return int(document["value"])


def _parsed(url: str) -> Mapping[str, Any]:
    try:
        parsed = parse_uri(url)
    except (PyMongoError, ValueError, TypeError):
        # Without its cause: what the driver says of the whole URL may show the password.
        raise ConfigurationError(f"The CSV store URL can't be used: {_complaint(url)}.") from None
    if not parsed["database"]:
        raise ConfigurationError(
            "The CSV store URL names no database: write mongodb://host:port/database."
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
