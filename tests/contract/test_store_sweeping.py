"""Files of uploads that were never accepted are swept away, and no others."""

import pytest

from muster.contracts.uploads import UNFINISHED, State
from muster.csvstore import CsvStore, FileNotStored
from tests.contract.children import Child
from tests.contract.records import an_upload
from tests.waiting import eventually


def put(store: CsvStore, name: str) -> None:
    with store.write_file(name) as file:
        file.write(b"text")


def test_files_without_a_record_are_swept_when_they_are_old(store: CsvStore) -> None:
    put(store, "gone")
    put(store, "gone.rejects")
    assert store.sweep(older_than=3600) == 0
    assert store.file_size("gone") == 4
    assert store.sweep(older_than=-1) == 2
    for name in ("gone", "gone.rejects"):
        with pytest.raises(FileNotStored):
            store.open_file(name)


def test_files_with_a_record_are_kept(store: CsvStore) -> None:
    upload = store.accept(an_upload())
    put(store, upload.id)
    put(store, upload.rejects_name)
    assert store.sweep(older_than=-1) == 0
    assert store.file_size(upload.id) == store.file_size(upload.rejects_name) == 4


def test_rejects_of_a_load_that_another_was_quicker_than_are_swept_once_it_is_final(
    store: CsvStore,
) -> None:
    upload = store.accept(an_upload())
    names = [upload.id, *(upload.rejects_name_of(load) for load in ("winner", "loser", None))]
    for name in names:
        put(store, name)
    assert store.sweep(older_than=-1) == 0
    final = store.update(upload.id, expect=UNFINISHED, state=State.COMPLETED, rejects="winner")
    assert final.rejects_name == names[1]
    assert store.sweep(older_than=-1) == 2
    for name in names[:2]:
        assert store.file_size(name) == 4


def test_what_a_killed_writer_left_is_swept(store: CsvStore, store_url: str) -> None:
    with Child("write_half", store_url, "u-1") as killed:
        killed.lines(1)
    assert store.sweep(older_than=3600) == 0
    assert store.sweep(older_than=-1) == 1
    # A server may come by a part only now that was on its way when the writer died.
    eventually(lambda: store.sweep(older_than=-1) == 0)
