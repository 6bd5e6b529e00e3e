"""Files of uploads that were never accepted are swept away, and no others."""

import pytest

from gateway.uploads.sweep import sweep
from muster.contracts.uploads import UNFINISHED, State
from muster.filestore import FileNotStored
from muster.stores import Stores
from tests.contract.children import Child
from tests.contract.records import an_upload
from tests.waiting import eventually


def put(stores: Stores, name: str) -> None:
    with stores.files.write(name) as file:
        file.write(b"text")


def read(stores: Stores, name: str) -> bytes:
    with stores.files.open(name) as file:
        return file.read()


def test_files_without_a_record_are_swept_when_they_are_old(stores: Stores) -> None:
    put(stores, "gone")
    put(stores, "gone.rejects")
    assert sweep(stores, older_than=3600) == 0
    assert read(stores, "gone") == b"text"
    assert sweep(stores, older_than=-1) == 2
    for name in ("gone", "gone.rejects"):
        with pytest.raises(FileNotStored):
            stores.files.open(name)


def test_files_with_a_record_are_kept(stores: Stores) -> None:
    upload = stores.uploads.accept(an_upload())
    put(stores, upload.id)
    put(stores, upload.rejects_name)
    assert sweep(stores, older_than=-1) == 0
    assert read(stores, upload.id) == read(stores, upload.rejects_name) == b"text"


def test_rejects_of_a_load_that_another_was_quicker_than_are_swept_once_it_is_final(
    stores: Stores,
) -> None:
    upload = stores.uploads.accept(an_upload())
    names = [upload.id, *(upload.rejects_name_of(load) for load in ("winner", "loser", None))]
    for name in names:
        put(stores, name)
    assert sweep(stores, older_than=-1) == 0
    final = stores.uploads.update(
        upload.id, expect=UNFINISHED, state=State.COMPLETED, rejects="winner"
    )
    assert final.rejects_name == names[1]
    assert sweep(stores, older_than=-1) == 2
    for name in names[:2]:
        assert read(stores, name) == b"text"


def test_what_a_killed_writer_left_is_swept(stores: Stores, stores_urls: tuple[str, str]) -> None:
    with Child("write_half", stores_urls[1], "u-1") as killed:
        killed.lines(1)
    assert sweep(stores, older_than=3600) == 0
    assert sweep(stores, older_than=-1) == 1
    # A server may come by a part only now that was on its way when the writer died.
    eventually(lambda: sweep(stores, older_than=-1) == 0)
