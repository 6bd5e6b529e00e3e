"""No call of the upload store in a file takes longer because many uploads were there before."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from muster.contracts.uploads import UNFINISHED, State, Upload
from muster.uploadstore import UploadStore, open_upload_store
from tests.contract.records import an_upload

OWNERS, STATES, TABLES = (None, "user-1"), (None, State.FAILED), (None, "jobs")


def finding(
    owner: str | None, state: State | None, table: str | None, before: int | None
) -> Callable[[UploadStore], list[Upload]]:
    return lambda store: store.find(owner=owner, state=state, table=table, before=before, limit=50)


LISTS = {
    f"find {filters}": finding(*filters) for filters in product(OWNERS, STATES, TABLES, (None, 3))
}
CALLS: dict[str, Callable[[UploadStore], object]] = LISTS | {
    "accept": lambda store: store.accept(an_upload(id="new", idempotency_key="new")),
    "get": lambda store: store.get("u-1"),
    "update": lambda store: store.update("u-1", expect=UNFINISHED, progress=0.5),
    "update_each": lambda store: store.update_each({"u-1": {"progress": 0.5}}, expect=UNFINISHED),
    "drop_contents": lambda store: store.drop_contents({"u-1": {}}, expect={State.FAILED}),
    "mark": lambda store: store.mark("published", ["u-1"]),
    "find_corrections": lambda store: store.find_corrections("u-0", 9),
    "find_undoing": lambda store: store.find_undoing("u-0", 9),
    "find_by_key": lambda store: store.find_by_key("user-1", "k-1"),
    "claim_key": lambda store: store.claim_key("user-1", "free", 30),
    "renew_key": lambda store: store.renew_key("user-1", "free", 30),
    "release_key": lambda store: store.release_key("user-1", "free"),
    "unpublished": lambda store: store.unpublished(9),
    "oldest_unpublished": lambda store: store.oldest_unpublished(),
    "unfinished": lambda store: store.unfinished(1, 9),
    "following": lambda store: store.following(1, 9),
    "oldest_queued": lambda store: store.oldest_queued(),
    "queued": lambda store: store.queued(9),
    "count_unfinished": lambda store: store.count_unfinished("user-1", 9),
    "bytes_of_day": lambda store: store.bytes_of_day("user-1", date(2021, 11, 7)),
    "cancelling": lambda store: store.cancelling(),
    "expiring": lambda store: store.expiring(an_upload().submitted_at, 9),
    "erased_by": lambda store: store.erased_by("e-1", 0, 9),
    "backlog": lambda store: store.backlog(),
    "set_aside": lambda store: store.set_aside(9),
    "count_set_aside": lambda store: store.count_set_aside(),
    "put_back": lambda store: store.put_back(),
    "wait_for_change": lambda store: store.wait_for_change("u-1", 7, 1),
    "contents": lambda store: store.contents(["u-1", "u-2"]),
    "unnamed": lambda store: store.unnamed(["u-1", "u-1.rejects", "gone"]),
    "check": lambda store: store.check(),
}
NOT_A_QUERY = {"close"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with three records, u-0 to u-2."""
    with closing(open_upload_store(f"file://{tmp_path}")) as store:
        for number in range(3):
            store.accept(an_upload(id=f"u-{number}", idempotency_key=f"k-{number}"))
    return tmp_path / "records.db"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What connections made from now on execute, with its values."""
    executed: list[str] = []
    connect = sqlite3.connect

    def listened_to(path: Path, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(executed.append)
        return connection

    monkeypatch.setattr("muster.backends.sqlite_file.sqlite3.connect", listened_to)
    return executed


def steps_of(path: Path, statements: list[str]) -> Iterator[str]:
    """The steps by which SQLite executes those that read or write rows."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            if statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                    yield step


def grows(step: str) -> bool:
    """Whether the step reads more, the more uploads there are.

    What is open, cancelling, damaged and so on has an index of its own, which may be gone through.
    """
    partial = ("unpublished", "open", "cancelling", "damaged")
    of_few = tuple(f" INDEX uploads_{name}" for name in partial)
    if step.startswith("SCAN contents"):
        return True
    return step.startswith("SCAN uploads") and not step.endswith(of_few)


def test_each_call_of_the_port_is_looked_at() -> None:
    calls = {name for name in vars(UploadStore) if not name.startswith("_")}
    assert calls - NOT_A_QUERY == {name.split()[0] for name in CALLS}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_reads_all_uploads(path: Path, statements: list[str], call: str) -> None:
    with closing(open_upload_store(f"file://{path.parent}")) as store:
        CALLS[call](store)
    steps = [*steps_of(path, statements)]
    assert steps
    assert [step for step in steps if grows(step)] == []


@pytest.mark.parametrize("call", LISTS)
def test_no_list_is_sorted(path: Path, statements: list[str], call: str) -> None:
    with closing(open_upload_store(f"file://{path.parent}")) as store:
        CALLS[call](store)
    assert [step for step in steps_of(path, statements) if "TEMP B-TREE FOR ORDER" in step] == []


def test_a_list_is_searched_by_all_that_was_asked_for(path: Path, statements: list[str]) -> None:
    with closing(open_upload_store(f"file://{path.parent}")) as store:
        store.find(owner="user-1", state=State.FAILED, table="jobs", before=3, limit=9)
    [step] = [step for step in steps_of(path, statements) if step.startswith("SEARCH uploads")]
    assert "uploads_by_owner_table_state (<expr>=? AND <expr>=? AND <expr>=? AND" in step


@pytest.mark.parametrize("call", LISTS)
def test_a_record_damaged_before_the_index_was_made_costs_no_list(path: Path, call: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'uploads!_by!_%' ESCAPE '!' "
            "OR name = 'uploads_damaged'"
        ).fetchall():
            connection.execute(f"DROP INDEX {name}")
    path.write_bytes(path.read_bytes().replace(b'{"id": "u-1"', b'{"id"; "u-1"'))
    with closing(open_upload_store(f"file://{path.parent}")) as store:
        store.update("u-2", expect=UNFINISHED, state=State.FAILED)
        assert {upload.id for upload in LISTS[call](store)} <= {"u-0", "u-2"}
        assert store.count_set_aside() == 1
