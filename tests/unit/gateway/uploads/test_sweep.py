"""Sweeps look at what became old enough since the last, and at everything once a day."""

import math
from collections.abc import Iterator
from typing import cast

import pytest

from gateway.uploads.sweep import OrphanSweep
from muster.stores import Stores
from muster.weather import StoreUnavailable

HOUR = 3600.0
DAY = 24 * HOUR


class FakeFiles:
    """Names by when the file was written, and none that a record names."""

    def __init__(self) -> None:
        self.now = 1000 * DAY
        self.written: dict[str, float] = {}
        self.asked: list[float] = []
        self.is_away = False

    def names(self, older_than: float, newer_than: float = math.inf) -> Iterator[str]:
        if older_than == HOUR:
            self.asked.append(newer_than)
        if self.is_away:
            raise StoreUnavailable("away")
        age = {name: self.now - at for name, at in self.written.items()}
        yield from [name for name in age if older_than <= age[name] <= newer_than]

    def delete(self, name: str) -> None:
        del self.written[name]


class FakeUploads:
    def __init__(self) -> None:
        self.named: set[str] = set()

    def unnamed(self, files: list[str]) -> set[str]:
        return {*files} - self.named


@pytest.fixture
def files() -> FakeFiles:
    return FakeFiles()


@pytest.fixture
def uploads() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def sweep(files: FakeFiles, uploads: FakeUploads) -> OrphanSweep:
    stores = cast(Stores, type("Stores", (), {"files": files, "uploads": uploads}))
    return OrphanSweep(stores, HOUR, clock=lambda: files.now)


def test_the_first_sweep_looks_at_every_file(sweep: OrphanSweep, files: FakeFiles) -> None:
    files.written["old"] = files.now - 400 * DAY
    assert sweep.run() == 1
    assert files.asked == [math.inf]


def test_later_sweeps_look_at_what_became_old_enough_since(
    sweep: OrphanSweep, files: FakeFiles
) -> None:
    for _ in range(20):
        sweep.run()
        files.written[f"at {files.now}"] = files.now
        files.now += 600
    assert max(files.asked[1:]) <= 3 * HOUR
    files.now += HOUR
    sweep.run()
    assert files.written == {}


def test_a_sweep_that_failed_is_made_up_for(sweep: OrphanSweep, files: FakeFiles) -> None:
    sweep.run()
    files.written["orphan"] = files.now
    files.is_away = True
    for _ in range(30):
        files.now += 600
        with pytest.raises(StoreUnavailable):
            sweep.run()
    files.is_away = False
    assert sweep.run() == 1
    assert files.asked[-1] < DAY


def test_what_becomes_an_orphan_late_is_removed_within_a_day(
    sweep: OrphanSweep, files: FakeFiles, uploads: FakeUploads
) -> None:
    files.written["rejects"] = files.now
    uploads.named.add("rejects")
    for _ in range(30):
        files.now += 600
        sweep.run()
    uploads.named.clear()
    sweep.run()
    assert files.written
    files.now += DAY
    assert sweep.run() == 1


@pytest.mark.parametrize("jump", [-10 * DAY, -HOUR, 10 * DAY])
def test_a_clock_that_is_set_leaves_no_orphan(
    sweep: OrphanSweep, files: FakeFiles, jump: float
) -> None:
    sweep.run()
    files.written["orphan"] = files.now
    files.now += jump
    for _ in range(int((DAY + max(0, -jump)) / 600) + 20):
        sweep.run()
        files.now += 600
    assert files.written == {}


def test_parts_of_an_upload_are_kept_for_a_day_and_an_hour(
    sweep: OrphanSweep, files: FakeFiles
) -> None:
    part = f"{'0' * 32}.resumable.{'a' * 16}"
    files.written[part] = files.now
    for _ in range(24 * 6 + 5):
        files.now += 600
        assert sweep.run() == 0
    files.now += 1200
    assert sweep.run() == 1
