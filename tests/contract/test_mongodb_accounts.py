"""`deploy/mongo/roles.json`: a service's role allows what it has MongoDB do, and no more.

The server of these tests knows roles of whole databases alone. What MongoDB would refuse is
therefore read off the commands that the driver sends, by the rights that each takes:
https://www.mongodb.com/docs/manual/reference/privilege-actions/
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import monitoring

from muster.contracts.uploads import UNFINISHED, State
from muster.filestore import FileNotStored
from muster.stores import Stores, open_stores
from muster.uploadstore import UploadNotFound, UploadStore, open_upload_store
from tests.contract.records import an_upload

ROLES: Mapping[str, Mapping[str, list[str]]] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "mongo" / "roles.json").read_text("utf-8")
)
# The collection is the command's own value; others are asked by everybody who connects.
ACTIONS = {
    "aggregate": {"find"},
    "createIndexes": {"createIndex"},
    "delete": {"remove"},
    "find": {"find"},
    "findAndModify": {"find", "update"},
    "insert": {"insert"},
    "update": {"update"},
}
FREE = {"buildInfo", "endSessions", "getMore", "hello", "killCursors", "ping"}
BYTES = b"x" * 300_000


class Recorder(monitoring.CommandListener):
    """The rights that commands took, of each collection."""

    def __init__(self) -> None:
        self.taken: dict[str, set[str]] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in FREE:
            return
        taken = set(ACTIONS[event.command_name])
        parts: list[Any] = [event.command, *event.command.get("updates", [])]
        if any(each.get("upsert") for each in parts):
            taken.add("insert")
        collection = event.command[event.command_name]
        self.taken.setdefault(collection, set()).update(taken)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Hears of the commands of every client that is made from now on."""
    recorder = Recorder()
    heard = monitoring._LISTENERS.command_listeners
    monitoring.register(recorder)
    yield recorder
    heard.remove(recorder)


def as_gateway(stores: Stores) -> None:
    uploads, files = stores.uploads, stores.files
    uploads.claim_key("user-1", "k", 5)
    uploads.renew_key("user-1", "k", 5)
    with files.write("u-1") as writer:
        writer.write(BYTES)
    uploads.accept(an_upload(idempotency_key="k", size=len(BYTES)))
    uploads.release_key("user-1", "k")
    uploads.mark("published", ["u-1"])
    with suppress(UploadNotFound):
        uploads.get("nobody")
    stores.open_file(uploads.get("u-1")).close()
    with suppress(FileNotStored):
        files.open("nothing")
    uploads.update("u-1", expect=UNFINISHED, state=State.COMPLETED)
    uploads.unpublished(1)
    uploads.bytes_of_day("user-1", an_upload().submitted_at.date())
    uploads.count_unfinished("user-1", 5)
    uploads.backlog()
    uploads.put_back()
    stores.remove_files({"u-1": {"files_removed": None}})
    files.delete("u-1")
    assert [*files.names(older_than=0)] == []
    stores.check()


def as_dbuploader(stores: Stores) -> None:
    uploads = stores.uploads
    # As who replays erasures over a backup.
    uploads.accept(an_upload())
    uploads.update("u-1", expect=UNFINISHED, state=State.LOADING)
    with stores.files.write("u-1.rejects") as writer:
        writer.write(BYTES)
    stores.files.open("u-1.rejects").close()
    with suppress(FileNotStored):
        stores.files.open("nothing")
    uploads.update_each({"u-1": {"state": State.COMPLETED}}, expect=UNFINISHED)
    uploads.cancelling()
    uploads.find(owner=None, state=None, table=None, before=None, limit=1)
    stores.files.delete("u-1.rejects")
    stores.check()


def as_notification(uploads: UploadStore) -> None:
    with suppress(UploadNotFound):
        uploads.get("nobody")
    uploads.update_each({"nobody": {"state": State.COMPLETED}}, expect=UNFINISHED)
    uploads.erased_by("e-1", 0, 1)
    uploads.check()


SERVICES: Mapping[str, tuple[Callable[[str], Any], Callable[[Any], None]]] = {
    "dbuploader": (open_stores, as_dbuploader),
    "gateway": (open_stores, as_gateway),
    "notification": (open_upload_store, as_notification),
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_the_rights_of_its_role(
    service: str, mongodb_store_url: str, recorder: Recorder
) -> None:
    opened, work = SERVICES[service]
    with closing(opened(mongodb_store_url)) as stores:
        work(stores)
    allowed = {collection: set(actions) for collection, actions in ROLES[service].items()}
    assert recorder.taken == allowed


def test_there_is_a_role_for_each_and_none_may_drop_or_see_accounts() -> None:
    assert set(ROLES) == set(SERVICES)
    actions = {each for role in ROLES.values() for some in role.values() for each in some}
    assert actions == {"createIndex", "find", "insert", "remove", "update"}
    assert not [role for role in ROLES.values() if "remove" in role["uploads"]]
