"""Small files are kept with their records, others in the file store."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from gateway.uploads.kept_file import MOST_IN_RECORD, keeping
from muster.filestore.folder import FolderFileStore
from tests.unit.gateway.fakes import stored_files


@pytest.fixture
def files(tmp_path: Path) -> FolderFileStore:
    return FolderFileStore(f"file://{tmp_path}/store")


def keep(files: FolderFileStore, chunks: Iterable[bytes]) -> bytes | None:
    with keeping(files, "a", MOST_IN_RECORD) as kept:
        for chunk in chunks:
            kept.write(chunk)
    return kept.content


@pytest.mark.parametrize("size", [0, 1, MOST_IN_RECORD - 1, MOST_IN_RECORD])
def test_a_small_file_is_not_written(files: FolderFileStore, tmp_path: Path, size: int) -> None:
    assert keep(files, [b"x" * (size // 2), b"y" * (size - size // 2)]) == (
        b"x" * (size // 2) + b"y" * (size - size // 2)
    )
    assert stored_files(tmp_path) == []


@pytest.mark.parametrize("size", [MOST_IN_RECORD + 1, 5 * MOST_IN_RECORD])
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_another_is_written_whole(files: FolderFileStore, size: int, pieces: int) -> None:
    content = bytes(number % 251 for number in range(size))
    step = -(-size // pieces)
    assert keep(files, [content[at : at + step] for at in range(0, size, step)]) is None
    with files.open("a") as file:
        assert file.read() == content


def test_nothing_is_kept_of_what_breaks_off(files: FolderFileStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 2 * MOST_IN_RECORD
        raise ConnectionError

    with pytest.raises(ConnectionError):
        keep(files, chunks())
    assert stored_files(tmp_path) == []
