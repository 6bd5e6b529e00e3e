"""The loader over the embedded adapters, and ways to make them fail at a chosen moment."""

import hashlib
import json
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from dbuploader.journal.changes import Author
from dbuploader.journal.receipts import ReceiptSigner
from dbuploader.migrations import migrate
from dbuploader.scratch import Scratch
from dbuploader.settings import BatchLimits, LoadLimits
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from muster.backends.signing_key import SigningKey
from muster.broker import Broker, Publication
from muster.contracts.rejects import Reject, read_rejects
from muster.contracts.tables.sql import hires_summary, sql_table
from muster.contracts.uploads import Options, Upload, now
from muster.database import Database, open_database
from muster.filestore import FileStore
from muster.stores import Stores, open_stores
from muster.uploadstore import UploadStore
from muster.weather import StoreUnavailable
from tests.servers.templates import fill, migrate_by_template, rows_in, unordered

Hook = Callable[..., None]
BATCH_LIMITS = BatchLimits(errors=1000, keep_answers=timedelta(hours=24))


def an_author() -> Author:
    """Somebody who sends one batch."""
    return Author(uuid.uuid4().hex, "batch", "ana", "ana@example.com")


def a_signer(issuer: str = "") -> ReceiptSigner:
    """With a new key."""
    return ReceiptSigner(SigningKey(Ed25519PrivateKey.generate()), issuer)


class Killed(BaseException):
    """The process ends here, as `kill -9` would have it."""


class Interposed:
    """Stands before a port; `before` and `after` a call of a name it runs what is queued for it."""

    def __init__(self, port: object) -> None:
        self._port = port
        self.before: dict[str, list[Hook]] = defaultdict(list)
        self.after: dict[str, list[Hook]] = defaultdict(list)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        # What is queued for a call is run for one with several of its kind, too.
        each = name.removesuffix("_each")

        def call(*args: Any, **kwargs: Any) -> Any:
            said = {**kwargs, **next(iter(args[0].values()))} if name == "update_each" else kwargs
            _run_next(self.before[each], said)
            result = method(*args, **kwargs)
            _run_next(self.after[each], said)
            return result

        return call


class LossyDatabase:
    """A database; transactions fail before they begin, or lose the answer to their COMMIT."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engine = database.engine
        self.files = database.files
        self.writes_alone = database.writes_alone
        self.load_file: Callable[..., None] = database.load_file
        self.interrupt = database.interrupt
        self.analyze = database.analyze
        self.sizes = database.sizes
        self.take_over = database.take_over
        self.refused: list[BaseException] = []
        self.lost: list[BaseException | None] = []
        self.after_commit: list[Callable[[], None]] = []
        self.before_read: list[Callable[[], None]] = []

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.before_read:
            self.before_read.pop(0)()
        with self._database.read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.refused:
            raise self.refused.pop(0)
        with self._database.write() as connection:
            yield connection
        if self.lost and (error := self.lost.pop(0)) is not None:
            raise error
        if self.after_commit:
            self.after_commit.pop(0)()


class RecordingBroker:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    def publish(self, routing_key: str, body: bytes, headers: dict[str, str]) -> None:
        self.published.append((routing_key, json.loads(body), headers))

    def publish_each(self, publications: Sequence[Publication]) -> None:
        for routing_key, body, headers in publications:
            self.publish(routing_key, body, dict(headers))


class MarkingProcessor(UploadProcessor):
    """One whose process has nothing left to mark after each message, unless it is killed."""

    def process_up_to(self, upload_id: str) -> None:
        super().process_up_to(upload_id)
        with suppress(StoreUnavailable):
            self.end()


class Suite:
    """One private suite below a directory, over an empty database of any kind.

    Without `files` none are sent to the database's server.
    """

    def __init__(self, home: Path, database_url: str, *, files: bool = True) -> None:
        self.urls = {
            "csv_store_url": f"file://{home}/store",
            "broker_url": f"sqlite:///{home}/broker.db",
            "employment_database_url": database_url,
        }
        self.home = home
        self.stores = open_stores(self.urls["csv_store_url"])
        self.store = self.stores.uploads
        self.broker = RecordingBroker()
        self.scratch = Scratch(home / "scratch")
        self.files = self.scratch.path
        self.database = open_database(database_url, self.files if files else None, exclusive=True)
        self.stop = threading.Event()
        self.limits = LoadLimits(reject_bytes=1024 * 1024, seconds=3600)
        self.signer = a_signer()
        self.faulty_files = Interposed(self.stores.files)
        self.faulty_store = Interposed(self.store)
        self.faulty_broker = Interposed(self.broker)
        self.faulty_database = LossyDatabase(self.database)
        migrate_by_template(self.database, migrate)

    def close(self) -> None:
        self.stores.close()
        self.database.close()
        self.scratch.close()

    def processor(self, watchdog: Watchdog | None = None) -> UploadProcessor:
        """A loader as a newly started process has it."""
        return MarkingProcessor(
            Stores(cast(FileStore, self.faulty_files), cast(UploadStore, self.faulty_store)),
            cast(Broker, self.faulty_broker),
            cast(Database, self.faulty_database),
            self.stop,
            watchdog or Watchdog(300),
            self.limits,
            self.scratch,
            self.signer,
        )

    def accept(
        self,
        table: str,
        content: str | bytes,
        *,
        upload_id: str | None = None,
        is_workbook: bool = False,
        in_record: bool = False,
        **options: Any,
    ) -> str:
        """An upload that waits for its loader; returns its id."""
        upload_id = upload_id or uuid.uuid4().hex
        data = content.encode() if isinstance(content, str) else content
        if not in_record:
            with self.stores.files.write(upload_id) as file:
                file.write(data)
        upload = Upload(
            id=upload_id,
            table=table,
            filename=f"{table}.csv",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            owner="1",
            submitted_by="ana@example.com",
            submitted_at=now(),
            request_id=f"request-{upload_id}",
            traceparent=f"00-{upload_id}-{'1' * 16}-01",
            options=Options(**options),
            is_workbook=is_workbook,
            in_record=in_record,
        )
        self.store.accept(upload, data if in_record else None)
        return upload_id

    def accept_undo(self, undoes: str, *, upload_id: str | None = None, **options: Any) -> str:
        """An undo of that upload, which waits for its loader; returns its id."""
        upload_id = upload_id or uuid.uuid4().hex
        options.setdefault("mode", "possible")
        undone = self.store.get(undoes)
        undo = Upload(
            id=upload_id,
            table=undone.table,
            filename=undone.filename,
            size=0,
            sha256=hashlib.sha256(b"").hexdigest(),
            owner="1",
            submitted_by="ana@example.com",
            submitted_at=now(),
            request_id=f"request-{upload_id}",
            traceparent=f"00-{upload_id}-{'1' * 16}-01",
            options=Options(**options),
            kind="undo",
            undoes=undoes,
        )
        self.store.accept(undo)
        return upload_id

    def undo(self, upload: Upload, **options: Any) -> Upload:
        """An undo of the upload, accepted and finished."""
        upload_id = self.accept_undo(upload.id, **options)
        self.processor().process_up_to(upload_id)
        return self.store.get(upload_id)

    def load(self, table: str, content: str | bytes, **options: Any) -> Upload:
        """An upload, accepted and finished."""
        upload_id = self.accept(table, content, **options)
        self.processor().process_up_to(upload_id)
        return self.store.get(upload_id)

    def seed(self) -> None:
        """Departments and jobs 1 to 3."""
        self.load("departments", "1,Sales\n2,Legal\n3,Research\n")
        self.load("jobs", "1,Clerk\n2,Nurse\n3,Editor\n")

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """What the table holds, in key order."""
        target = sql_table(table)
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(select(target).order_by("id"))]

    def summary(self) -> list[tuple[int, ...]]:
        """The summary's rows: year, quarter, department, job, hired."""
        with self.database.read() as connection:
            return sorted(tuple(row) for row in connection.execute(select(hires_summary)))

    def expected_summary(self) -> list[tuple[int, ...]]:
        """The summary as the hired employees have it."""
        hired: dict[tuple[int, ...], int] = defaultdict(int)
        for _, _, at, department, job in self.rows("hired_employees"):
            hired[at.year, (at.month + 2) // 3, department, job] += 1
        return sorted((*key, count) for key, count in hired.items())

    def rejects_name(self, upload_id: str) -> str:
        """Under which name its rejects are, or, before it is final, those of the latest load."""
        upload = self.store.get(upload_id)
        stored = sorted(
            (self.home / "store" / "files").glob(f"*/{upload_id}.*.rejects"),
            key=lambda path: path.stat().st_mtime_ns,
        )
        return upload.rejects_name if upload.state.is_final or not stored else stored[-1].name

    def rejects(self, upload_id: str) -> list[Reject]:
        """The rejects that are stored for the upload."""
        with self.stores.files.open(self.rejects_name(upload_id)) as file:
            return list(read_rejects(file)[1])

    def announced(self) -> list[str]:
        """The uploads that were announced as finished, in that order."""
        return [message["upload_id"] for _, message, _ in self.broker.published]


class Moment:
    """What a suite holds after something was done to it, to begin others with."""

    def __init__(self, suite: Suite, directory: Path) -> None:
        self._files = shutil.copytree(suite.home / "store", directory / "store")
        with suite.database.read() as connection:
            self._rows = rows_in(connection)
        self._published = [*suite.broker.published]
        self._signer = suite.signer

    def restore(self, suite: Suite) -> None:
        """Have the suite, which was not used yet, hold it."""
        shutil.copytree(self._files, suite.home / "store", dirs_exist_ok=True)
        with suite.database.write() as connection:
            with unordered(connection):
                for table in {table for table, _ in rows_in(connection)}:
                    connection.exec_driver_sql(f"DELETE FROM {table}")
            fill(connection, self._rows)
        suite.broker.published = [*self._published]
        suite.signer = self._signer


class Moments:
    """One of each kind of database for whatever tests begin with."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._moments: dict[tuple[str, Callable[[Suite], None]], Moment] = {}

    def begin(self, suite: Suite, act: Callable[[Suite], None]) -> None:
        """Have the suite, which was not used yet, hold what it does after `act`."""
        dialect = suite.database.engine.dialect.name
        moment = self._moments.get((dialect, act))
        if moment is not None:
            moment.restore(suite)
            return
        act(suite)
        directory = self._directory / f"{act.__name__}-{dialect}"
        self._moments[dialect, act] = Moment(suite, directory)


def killed(**_changes: Any) -> None:
    raise Killed


def _run_next(hooks: list[Hook], kwargs: dict[str, Any]) -> None:
    if hooks:
        hooks.pop(0)(**kwargs)
