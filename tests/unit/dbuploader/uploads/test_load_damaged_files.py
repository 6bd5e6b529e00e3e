"""A stored file that has lost a part ends its upload, and those behind it load."""

import io
from pathlib import Path

import pytest

from muster.contracts.uploads import RowCounts, State
from muster.weather import FileDamaged
from tests.unit.dbuploader.suite import Suite


def stored(suite: Suite, upload_id: str) -> Path:
    root = Path(suite.urls["csv_store_url"].removeprefix("file://"))
    return next(root.glob(f"files/*/{upload_id}"))


@pytest.mark.parametrize("content", [b"8,Bak", b"", b"8,Baker\n9,Coo\n10,Smi"], ids=len)
def test_a_file_of_another_length_than_was_sent_fails(suite: Suite, content: bytes) -> None:
    damaged, behind = suite.accept("jobs", "8,Baker\n"), suite.accept("jobs", "9,Cook\n")
    stored(suite, damaged).write_bytes(content)

    suite.processor().process_up_to(behind)

    ended = suite.store.get(damaged)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "file-damaged")
    assert ended.rows == RowCounts()
    assert suite.store.get(behind).state == State.COMPLETED
    assert [row for row in suite.rows("jobs") if row[0] > 3] == [(9, "Cook")]


class Losing(io.BytesIO):
    """Bytes of which the last part is lost."""

    def __init__(self, content: bytes, kept: int) -> None:
        super().__init__(content)
        self._kept = kept

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._kept:
            raise FileDamaged("chunks are lost")
        return super().read(min(size or -1, 65536) if size and size > 0 else 65536)

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    read1 = read


def test_a_file_whose_end_is_lost_fails_whole(suite: Suite) -> None:
    content = "".join(f"{key},Job {key}\n" for key in range(10, 60_000)).encode()
    damaged, behind = suite.accept("jobs", content), suite.accept("jobs", "9,Cook\n")
    original = suite.stores.files.open

    def open_file(name: str) -> object:
        return Losing(content, 400_000) if name == damaged else original(name)

    vars(suite.faulty_files)["open"] = open_file

    suite.processor().process_up_to(behind)

    ended = suite.store.get(damaged)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "file-damaged")
    assert ended.rows.read == ended.rows.unprocessed > 0
    assert suite.store.get(behind).state == State.COMPLETED
    assert [row for row in suite.rows("jobs") if row[0] > 3] == [(9, "Cook")]
