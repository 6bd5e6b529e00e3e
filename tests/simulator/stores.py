"""The store in memory: files, and upload records; what is there stays when a process dies."""

import io
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from structlog.contextvars import bound_contextvars

from muster.contracts.uploads import (
    UNFINISHED,
    State,
    UnreadableRecord,
    Upload,
    is_named,
    record_format,
    upload_of_file,
)
from muster.filestore import FileNotStored, FileStore
from muster.stores import Stores
from muster.uploadstore import (
    Backlog,
    KeyTaken,
    Mark,
    SetAside,
    StateConflict,
    UploadNotFound,
    UploadStore,
)
from muster.weather import StoreUnavailable
from tests.faults.ports import ANSWER
from tests.simulator.scheduler import Killed, Process
from tests.simulator.world import Mistake, World

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

KILLS_ITS_LOADER = b"#kills its loader"
CONFUSES_ITS_LOADER = b"#confuses its loader"


def _gone() -> StoreUnavailable:
    return StoreUnavailable("gone")


class StoredData:
    """What is on the store's disk."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, float]] = {}
        self.uploads: dict[str, Upload] = {}
        self.contents: dict[str, bytes] = {}
        self.claims: dict[tuple[str, str], float] = {}
        self.unreadable: set[str] = set()
        self.aside: dict[str, SetAside] = {}
        self.sequence = 0
        self.regressed: list[str] = []

    def in_order(self) -> list[Upload]:
        """All records, in the order of acceptance."""
        # As a dict keeps them: each was added with the next sequence.
        return list(self.uploads.values())


class _Calls:
    """Calls of one process, each of which meets what is decided before it and after it."""

    def __init__(self, port: str, world: World, data: StoredData, process: Process | None) -> None:
        self._port = port
        self._world = world
        self._data = data
        self._process = process

    def _call(self, name: str, work: Callable[[], T]) -> T:
        call = f"{self._port}.{name}"
        self._world.meet(self._process, call, _gone)
        result = work()
        self._world.meet(self._process, call + ANSWER, _gone)
        return result

    def check(self) -> None:
        """Whether it answers."""
        self._call("check", lambda: None)

    def close(self) -> None:
        """Nothing to give up."""


class SimulatedFiles(_Calls):
    """The port of files, as one process has it."""

    def __init__(self, world: World, data: StoredData, process: Process | None) -> None:
        super().__init__("files", world, data, process)

    @contextmanager
    def write(self, name: str) -> Iterator[io.BytesIO]:
        """Write the file: it is there once the block ends well."""
        self._world.meet(self._process, "files.write", _gone)
        content = io.BytesIO()
        yield content
        self._world.meet(self._process, "files.finish", _gone)
        self._data.files[name] = (content.getvalue(), self._world.now)
        self._world.meet(self._process, "files.finish" + ANSWER, _gone)

    def open(self, name: str) -> BinaryIO:
        """Read the file."""
        content, _ = self._call("open", lambda: self._file(name))
        return cast(BinaryIO, _Reader(content, self._world, self._process))

    def delete(self, name: str) -> None:
        """Remove it, if it is there."""
        self._call("delete", lambda: self._data.files.pop(name, None))

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        """The files last written so many seconds ago."""
        earliest, latest = self._world.now - newer_than, self._world.now - older_than
        names = [name for name, (_, at) in self._data.files.items() if earliest <= at <= latest]
        return self._call("names", lambda: iter(names))

    def _file(self, name: str) -> tuple[bytes, float]:
        try:
            return self._data.files[name]
        except KeyError:
            raise FileNotStored(name) from None


class _Reader(io.BytesIO):
    def __init__(self, content: bytes, world: World, process: Process | None) -> None:
        super().__init__(content)
        self._world = world
        self._process = process

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._meet()
        return super().readinto(buffer)

    def read(self, size: int | None = -1, /) -> bytes:
        self._meet()
        return super().read(size)

    def _meet(self) -> None:
        self._world.meet(self._process, "files.read", _gone)
        _spoil(self.getvalue(), self._world, self._process)


def _spoil(content: bytes, world: World, process: Process | None) -> None:
    """Do to a loader what the file does to it."""
    if process is None or not process.name.startswith("loader"):
        return
    if KILLS_ITS_LOADER in content:
        world.blame_in_hand().poisoned += 1
        world.kill(process)
        raise Killed
    if CONFUSES_ITS_LOADER in content:
        world.mistaken().confused += 1
        raise Mistake("the file confuses its loader")


class SimulatedUploads(_Calls):
    """The port of upload records, as one process has it."""

    def __init__(self, world: World, data: StoredData, process: Process | None) -> None:
        super().__init__("uploads", world, data, process)

    def accept(self, upload: Upload, content: bytes | None = None) -> Upload:
        """Add a record, and give it its sequence."""

        def work() -> Upload:
            key = upload.idempotency_key
            if key is not None:
                self._refuse_used_key(upload.owner, key)
            self._data.sequence += 1
            self._data.uploads[upload.id] = replace(upload, sequence=self._data.sequence)
            if content is not None:
                self._data.contents[upload.id] = content
            return self._data.uploads[upload.id]

        return self._call("accept", work)

    def contents(self, upload_ids: Collection[str]) -> dict[str, bytes]:
        """The files that are kept with the records."""
        kept = self._data.contents
        found = self._call(
            "contents", lambda: {each: kept[each] for each in upload_ids if each in kept}
        )
        for upload_id, content in found.items():
            with bound_contextvars(upload_id=upload_id):
                _spoil(content, self._world, self._process)
        return found

    def get(self, upload_id: str) -> Upload:
        """The record as it stands."""
        return self._call("get", lambda: self._get(upload_id))

    def update(
        self, upload_id: str, *, expect: Collection[State], durable: bool = True, **changes: Any
    ) -> Upload:
        """Set the fields, if the state is one of `expect`."""
        del durable

        def work() -> Upload:
            upload = self._get(upload_id)
            if upload.state not in expect:
                raise StateConflict(upload)
            return self._change(upload, changes)

        with self._charging({upload_id: changes}):
            return self._call("update", work)

    def update_each(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        expect: Collection[State],
        durable: bool = True,
    ) -> list[Upload]:
        """As `update`, for several records."""
        del durable
        return self._update_each("update_each", changes, expect)

    def drop_contents(
        self, changes: Mapping[str, Mapping[str, Any]], *, expect: Collection[State]
    ) -> list[Upload]:
        """As `update_each`; the files that are kept with the records go with it."""
        changed = self._update_each("drop_contents", changes, expect)
        for upload in changed:
            if upload.state in expect:
                self._data.contents.pop(upload.id, None)
        return changed

    def mark(self, mark: Mark, upload_ids: Collection[str]) -> None:
        """Set the mark on those of the records that lack it."""

        def work() -> None:
            for upload_id in upload_ids:
                upload = self._data.uploads.get(upload_id)
                if upload is not None:
                    self._data.uploads[upload_id] = replace(upload, **cast(Any, {mark: True}))

        self._call("mark", work)

    def _update_each(
        self, name: str, changes: Mapping[str, Mapping[str, Any]], expect: Collection[State]
    ) -> list[Upload]:
        def work() -> list[Upload]:
            for upload_id in changes:
                upload = self._data.uploads.get(upload_id)
                if upload is None:
                    continue
                if upload_id in self._data.unreadable:
                    self._put_aside(upload_id)
                elif upload.state in expect:
                    self._change(upload, changes[upload_id])
            there = [upload for upload in self._data.in_order() if upload.id in changes]
            return [upload for upload in there if upload.id not in self._data.unreadable]

        with self._charging(changes):
            return self._call(name, work)

    def _change(self, upload: Upload, changes: Mapping[str, Any]) -> Upload:
        changed = replace(upload, **changes, version=upload.version + 1)
        if upload.state.is_final and changed.state is not upload.state:
            self._data.regressed.append(f"{upload.state} became {changed.state}")
        self._data.uploads[upload.id] = changed
        return changed

    @contextmanager
    def _charging(self, changes: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
        """Where neither the database nor the store takes the note of a stop, it may count."""
        try:
            yield
        except StoreUnavailable:
            for upload_id, fields in changes.items():
                stopped = fields.get("stopped_attempt")
                if stopped is not None and self._data.uploads[upload_id].stopped_attempt != stopped:
                    self._world.blame_of(upload_id).ended += 1
            raise

    def find(
        self,
        *,
        owner: str | None = None,
        state: State | None = None,
        table: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Upload]:
        """Records, newest first."""
        found = self._select(
            "find",
            lambda upload: (
                owner in {None, upload.owner}
                and state in {None, upload.state}
                and table in {None, upload.table}
                and (before is None or upload.sequence < before)
            ),
        )
        return found[::-1][:limit]

    def find_corrections(self, upload_id: str, limit: int) -> list[Upload]:
        """Records that correct rejected rows of that upload, newest first."""
        found = self._select("find_corrections", lambda upload: upload.previous == upload_id)
        return found[::-1][:limit]

    def find_undoing(self, upload_id: str, limit: int) -> list[Upload]:
        """Records that undo that upload, newest first."""
        found = self._select(
            "find_undoing",
            lambda upload: upload.undoes == upload_id and not upload.options.dry_run,
        )
        return found[::-1][:limit]

    def find_by_key(self, owner: str, key: str) -> Upload | None:
        """The upload that the owner's key belongs to."""
        return self._call("find_by_key", lambda: self._find_by_key(owner, key))

    def claim_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold the key for a call in flight."""

        def work() -> None:
            self._refuse_used_key(owner, key)
            if self._data.claims.get((owner, key), -1.0) > self._world.now:
                raise KeyTaken(None)
            self._data.claims[owner, key] = self._world.now + seconds

        self._call("claim_key", work)

    def renew_key(self, owner: str, key: str, seconds: float) -> None:
        """Hold a claimed key for longer."""

        def work() -> None:
            if (owner, key) in self._data.claims:
                self._data.claims[owner, key] = self._world.now + seconds

        self._call("renew_key", work)

    def release_key(self, owner: str, key: str) -> None:
        """End the claim."""
        self._call("release_key", lambda: self._data.claims.pop((owner, key), None))

    def unpublished(self, limit: int) -> list[Upload]:
        """Records whose message is not known to be queued."""
        return self._select("unpublished", lambda upload: not upload.published)[:limit]

    def oldest_unpublished(self) -> Upload | None:
        """The one that has waited longest to be published."""
        found = self._select("oldest_unpublished", lambda upload: not upload.published)
        return next(iter(found), None)

    def unfinished(self, after: int, limit: int) -> list[Upload]:
        """Records that are not final, or not announced, beyond a sequence, in order."""
        return self._select(
            "unfinished", lambda upload: _is_open(upload) and upload.sequence > after
        )[:limit]

    def following(self, after: int, limit: int) -> list[Upload]:
        """The records of the next sequences, in order."""
        return self._select("following", lambda upload: 0 < upload.sequence - after <= limit)

    def oldest_queued(self) -> Upload | None:
        """The one that has waited longest to be loaded."""
        found = self._select("oldest_queued", lambda upload: upload.state is State.QUEUED)
        return next(iter(found), None)

    def queued(self, limit: int) -> list[int]:
        """The sequences of those that wait to be loaded."""
        found = self._select("queued", lambda upload: upload.state is State.QUEUED)
        return [upload.sequence for upload in found[:limit]]

    def count_unfinished(self, owner: str, limit: int) -> int:
        """How many of the owner are not final, up to `limit`."""
        found = self._select(
            "count_unfinished",
            lambda upload: upload.owner == owner and not upload.state.is_final,
        )
        return len(found[:limit])

    def bytes_of_day(self, owner: str, day: date) -> int:
        """The bytes of the owner's files of that day."""
        found = self._select(
            "bytes_of_day",
            lambda upload: upload.owner == owner and upload.submitted_at.date() == day,
        )
        return sum(upload.size for upload in found)

    def cancelling(self) -> list[Upload]:
        """Queued records whose cancellation is asked for."""
        return self._select(
            "cancelling",
            lambda upload: upload.state is State.QUEUED and upload.cancel_requested,
        )

    def expiring(self, before: datetime, limit: int) -> list[Upload]:
        """Final records whose files are kept, that ended before then."""
        found = self._select("expiring", lambda upload: _ended_before(upload, before))
        return sorted(found, key=_end_of)[:limit]

    def erased_by(self, erasure: str, after: int, limit: int) -> list[Upload]:
        """Records whose files that erasure removed, beyond a sequence."""

        def is_wanted(upload: Upload) -> bool:
            removed = upload.files_removed
            return removed is not None and removed.by == erasure and upload.sequence > after

        return self._select("erased_by", is_wanted)[:limit]

    def backlog(self) -> Backlog:
        """What the loader has still to do."""
        waiting = self._select("backlog", _is_open)
        return Backlog(len(waiting), waiting[0].submitted_at if waiting else None)

    def set_aside(self, limit: int) -> list[SetAside]:
        """What was set aside."""
        return self._call("set_aside", lambda: [*self._data.aside.values()][:limit])

    def count_set_aside(self) -> int:
        """How many were."""
        return self._call("count_set_aside", lambda: len(self._data.aside))

    def put_back(self, upload_id: str | None = None) -> int:
        """Have the record read again, or all."""

        def work() -> int:
            those = [each for each in self._data.aside if upload_id in {None, each}]
            for each in those:
                del self._data.aside[each]
            return len(those)

        return self._call("put_back", work)

    def unnamed(self, files: Iterable[str]) -> set[str]:
        """Those of the files that no record names."""
        names = {*files}

        def work() -> set[str]:
            records = {
                upload.id: (upload.state.value, upload.rejects)
                for name in names
                if (upload := self._data.uploads.get(upload_of_file(name))) is not None
                and upload.files_removed is None
            }
            return {name for name in names if not is_named(name, records)}

        return self._call("unnamed", work)

    def _get(self, upload_id: str) -> Upload:
        if upload_id not in self._data.uploads:
            raise UploadNotFound(upload_id)
        if upload_id in self._data.unreadable:
            raise self._put_aside(upload_id)
        return self._data.uploads[upload_id]

    def _find_by_key(self, owner: str, key: str) -> Upload | None:
        for upload in self._data.uploads.values():
            if (upload.owner, upload.idempotency_key) == (owner, key):
                return self._get(upload.id)
        return None

    def _refuse_used_key(self, owner: str, key: str) -> None:
        used = self._find_by_key(owner, key)
        if used is not None:
            raise KeyTaken(used)

    def _select(self, name: str, is_wanted: Callable[[Upload], bool]) -> list[Upload]:
        def work() -> list[Upload]:
            found = [upload for upload in self._data.in_order() if is_wanted(upload)]
            for upload in found:
                if upload.id in self._data.unreadable:
                    self._put_aside(upload.id)
            return [upload for upload in found if upload.id not in self._data.aside]

        return self._call(name, work)

    def _put_aside(self, upload_id: str) -> UnreadableRecord:
        upload = self._data.uploads[upload_id]
        at: datetime = self._world.scheduler.moment()
        self._data.aside.setdefault(upload_id, SetAside(upload_id, record_format(), "damaged", at))
        return UnreadableRecord(
            "damaged", upload_id=upload_id, owner=upload.owner, sequence=upload.sequence
        )


def simulated_stores(world: World, data: StoredData, process: Process | None) -> Stores:
    """Both halves of the store, as one process has them."""
    files = SimulatedFiles(world, data, process)
    uploads = SimulatedUploads(world, data, process)
    return Stores(cast(FileStore, files), cast(UploadStore, uploads))


def _ended_before(upload: Upload, moment: datetime) -> bool:
    is_kept = upload.files_removed is None and upload.finished_at is not None
    return is_kept and _end_of(upload) < moment


def _end_of(upload: Upload) -> datetime:
    return upload.finished_at or upload.submitted_at


def _is_open(upload: Upload) -> bool:
    return upload.state in UNFINISHED or not upload.announced
