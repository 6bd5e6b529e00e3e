"""What MongoDB is asked for: every write by the majority and journaled, every read of no less."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pymongo import monitoring

from muster.contracts.uploads import UNFINISHED, State
from muster.stores import Stores, open_stores
from tests.contract.records import an_upload

WRITES = {"insert", "update", "findAndModify"}
READS = {"find", "aggregate", "count", "distinct"}


class Commands(monitoring.CommandListener):
    """The commands that this process has sent since it was listening."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def among(self, names: set[str]) -> list[dict[str, Any]]:
        return [command for name, command in self.sent if name in names]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    listeners = monitoring._LISTENERS
    monkeypatch.setattr(
        monitoring,
        "_LISTENERS",
        listeners._replace(command_listeners=[*listeners.command_listeners, commands]),
    )
    return commands


@pytest.fixture
def stores(mongodb_store_url: str, commands: Commands) -> Iterator[Stores]:
    # Made after the listener, which a client asks for once; the URL's own wishes don't count.
    with closing(open_stores(f"{mongodb_store_url}&w=0&readConcernLevel=local")) as stores:
        yield stores


def accept_and_load(stores: Stores) -> None:
    with stores.files.write("u-1") as file:
        file.write(b"1,Baker\n" * 100_000)
    stores.uploads.accept(an_upload(idempotency_key="k"))
    stores.uploads.update("u-1", expect=UNFINISHED, state=State.LOADING)
    with stores.files.open("u-1") as file:
        file.read()
    stores.uploads.unfinished(0, 10)


def test_every_write_waits_for_the_journal_of_the_majority(
    stores: Stores, commands: Commands
) -> None:
    accept_and_load(stores)
    writes = commands.among(WRITES)
    assert {command.get("writeConcern", {}).get("w") for command in writes} == {"majority"}
    assert all(command["writeConcern"]["j"] for command in writes)
    written = {str(next(iter(command.values()))) for command in writes}
    assert {"uploads", "csv.files", "csv.chunks"} <= written


def test_every_read_is_of_what_the_majority_has(stores: Stores, commands: Commands) -> None:
    accept_and_load(stores)
    reads = commands.among(READS)
    assert reads
    assert all(command["readConcern"] == {"level": "majority"} for command in reads)


def test_bytes_that_come_fast_are_written_in_batches_of_bounded_size(
    stores: Stores, commands: Commands
) -> None:
    with stores.files.write("u-1") as file:
        for _ in range(20):
            file.write(bytes(1024 * 1024))
    batches = [insert["documents"] for insert in commands.among({"insert"})]
    chunks = [len(batch) for batch in batches if "n" in batch[0]]
    assert sum(chunks) == 81
    assert len(chunks) < 40
    assert max(chunks) <= 16


def test_a_small_file_takes_few_calls(stores: Stores, commands: Commands) -> None:
    stores.check()
    before = len(commands.sent)
    with stores.files.write("u-1") as file:
        file.write(b"1,Baker\n")
    assert [name for name, _ in commands.sent[before:]] == ["insert", "find", "insert"]


def test_an_upload_is_changed_by_one_write(stores: Stores, commands: Commands) -> None:
    stores.uploads.accept(an_upload())
    before = len(commands.sent)
    stores.uploads.update("u-1", expect=UNFINISHED, state=State.LOADING)
    assert [name for name, _ in commands.sent[before:]] == ["update", "find"]
