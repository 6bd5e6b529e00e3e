"""A loader in a process of its own that stands still at a chosen moment, until it is let go on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import Any, cast

import psutil

# The driver before pyarrow: see dbuploader/consumer.py.
import muster.database.mysql  # noqa: F401
from dbuploader.scratch import Scratch
from dbuploader.settings import LoadLimits
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from muster.broker import Broker
from muster.database import open_database
from muster.filestore import FileStore
from muster.stores import Stores, open_stores
from muster.uploadstore import UploadStore
from tests.servers.mysqlwire import MysqlWire, Passage
from tests.unit.dbuploader.suite import Interposed, RecordingBroker, Suite, a_signer
from tests.waiting import DEADLINE_SECONDS, eventually

# Forked from a process that has imported all this.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


class Loader:
    """Loads one upload of `suite` by the database at `database_url`, once the block is entered.

    It stops itself `before` or `after` the store's `call`, if one is named. At the end of the block
    it is killed, unless it has ended.
    """

    def __init__(
        self, suite: Suite, database_url: str, upload_id: str, moment: str = "", call: str = ""
    ) -> None:
        arguments = (suite.urls["csv_store_url"], database_url, suite.files, upload_id)
        self._process = _FORKS.Process(target=_load, args=(*arguments, moment, call))

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether its process has."""
        return self._process.exitcode is not None

    @property
    def is_frozen(self) -> bool:
        """Whether its process stands still."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def freeze(self) -> None:
        """Stop its process, and return once it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        eventually(lambda: self.is_frozen, pause=0.001)

    def thaw(self) -> int | None:
        """Let it go on to its end; returns its exit status."""
        os.kill(self.pid, signal.SIGCONT)
        self._process.join(DEADLINE_SECONDS)
        return self._process.exitcode

    def __enter__(self) -> "Loader":
        self._process.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.join()


@contextmanager
def frozen_at(wire: MysqlWire, loader: Loader, piece: int) -> Iterator[str | None]:
    """The loader, once it stands still as that piece passes: the statement that it had begun.

    None if it came to its end before.
    """
    passed, frozen, statements = count(), Event(), [""]

    def strike(passage: Passage, to_server: bool) -> None:
        if next(passed) == piece:
            loader.freeze()
            side = "sent" if to_server else "answered"
            statements[0] = f"{' '.join(passage.statement.split())[:40]} {side}"
            frozen.set()

    wire.strike = strike
    with loader:
        eventually(lambda: frozen.is_set() or loader.has_ended)
        yield statements[0] if frozen.is_set() else None


def _load(
    store_url: str, database_url: str, files: Path, upload_id: str, moment: str, call: str
) -> None:
    stores = open_stores(store_url)
    kept, records = Interposed(stores.files), Interposed(stores.uploads)
    if call:
        port = kept if hasattr(stores.files, call) else records
        getattr(port, moment)[call].append(_stand_still)
    scratch = Scratch(files)
    processor = UploadProcessor(
        Stores(cast(FileStore, kept), cast(UploadStore, records)),
        cast(Broker, RecordingBroker()),
        open_database(database_url, scratch.path, exclusive=True),
        Event(),
        Watchdog(300),
        LoadLimits(reject_bytes=1024 * 1024, seconds=3600),
        scratch,
        a_signer(),
    )
    processor.take_over()
    processor.process_up_to(upload_id)


def _stand_still(**_changes: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
