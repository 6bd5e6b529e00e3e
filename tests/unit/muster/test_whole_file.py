"""In which order a file and its name reach the disk: what a power cut would show."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from muster.backends.atomic_file import WholeFile, make_directory


class Synced(NamedTuple):
    """A call of fsync: for what, how much of it was written, and which names there were."""

    path: Path
    size: int
    names: frozenset[str]


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Synced]:
    """The calls of fsync from now on; only what it is told can be known to be on the disk."""
    calls: list[Synced] = []
    monkeypatch.setattr(os, "fsync", _recorder(tmp_path, calls))
    return calls


def _recorder(directory: Path, calls: list[Synced]) -> Callable[[int], None]:
    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        names = frozenset(found.name for found in directory.iterdir())
        calls.append(Synced(path, os.fstat(descriptor).st_size, names))

    return fsync


def test_a_file_is_on_the_disk_before_its_name_is(tmp_path: Path, synced: list[Synced]) -> None:
    part, target = tmp_path / ".part", tmp_path / "target"
    file = WholeFile(part, target)
    file.write(b"1,Sales\n")
    file.finish()

    content, name = synced
    assert content == Synced(part, 8, frozenset({".part"}))
    assert (name.path, name.names) == (tmp_path, frozenset({"target"}))


def test_a_new_directory_is_on_the_disk_with_those_above_it(
    tmp_path: Path, synced: list[Synced]
) -> None:
    make_directory(tmp_path / "store" / "files")

    assert [call.path for call in synced] == [tmp_path, tmp_path / "store"]
    assert synced[0].names == frozenset({"store"})


def test_a_directory_that_is_there_costs_nothing(tmp_path: Path, synced: list[Synced]) -> None:
    make_directory(tmp_path)

    assert synced == []
