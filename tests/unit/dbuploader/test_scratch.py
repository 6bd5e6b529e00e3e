"""Where the loader keeps a file's rows: what the disk refuses is waited for, nothing is left."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from io import FileIO
from pathlib import Path

import pytest

from dbuploader.scratch import Scratch, ScratchFile, weather_of_disk
from dbuploader.settings import LoadLimits, Settings
from dbuploader.uploads.progress import WorkTime
from muster.adapters import ConfigurationError
from muster.contracts.uploads import State
from muster.weather import DISK, DiskUnavailable
from tests.scarcity import no_more_files
from tests.unit.dbuploader.suite import Suite
from tests.waiting import eventually

ROWS = 30_000
HIRES = "".join(f"{key},Ann,2021-07-27T16:02:08Z,1,1\n" for key in range(1, ROWS + 1))
# More than stay in memory, and fewer than are merged before the file is read to its end.
SOME = "".join(f"{key},The department of law\n" for key in range(10, 6010))
REJECTED = 600
REJECTS = "".join(f"{key},Ann,never,1,1\n" for key in range(1, REJECTED + 1))


class FullDisk(Scratch):
    """Takes no byte as long as it is full: what is written goes to /dev/full."""

    is_full = True
    refused = 0

    def new_file(self) -> FileIO:
        if not self.is_full:
            return super().new_file()
        self.refused += 1
        return FileIO("/dev/full", "r+")


@pytest.fixture
def disk(suite: Suite, tmp_path: Path) -> Iterator[FullDisk]:
    """A full disk, which the suite's loader writes to."""
    other = suite.scratch
    with FullDisk(tmp_path / "full") as disk:
        suite.scratch = disk
        yield disk
    suite.scratch = other


@pytest.fixture
def early_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects go to the disk when there are some dozens, not thousands."""
    monkeypatch.setattr("dbuploader.validation.rejects._BLOCK", 16 * 1024)


@contextmanager
def loading(suite: Suite, upload_id: str) -> Iterator[None]:
    """The upload is loaded in another thread, until it is final."""
    with ThreadPoolExecutor(1) as loader:
        load = loader.submit(suite.processor().process_up_to, upload_id)
        try:
            yield
        except BaseException:
            suite.stop.set()
            raise
        load.result()


def waits_for_the_disk(suite: Suite, upload_id: str) -> bool:
    upload = suite.store.get(upload_id)
    return not upload.state.is_final and (upload.error and upload.error.code) == "waiting-for-disk"


@pytest.mark.parametrize(
    ("table", "rows"),
    [("departments", SOME), ("hired_employees", HIRES)],
    ids=["some rows", "many rows"],
)
def test_a_full_disk_has_uploads_wait_and_say_so(
    suite: Suite, disk: FullDisk, table: str, rows: str
) -> None:
    upload_id = suite.accept(table, rows)
    with loading(suite, upload_id):
        eventually(lambda: disk.refused > 5 and waits_for_the_disk(suite, upload_id))
        disk.is_full = False
    upload = suite.store.get(upload_id)
    assert (upload.state, upload.error) == (State.COMPLETED, None)
    assert upload.rows.inserted == rows.count("\n")


@pytest.mark.parametrize("database_url", ["sqlite_database_url"], indirect=True)
def test_a_small_file_needs_no_disk(suite: Suite, disk: FullDisk) -> None:
    assert suite.load("departments", "9,Law\n").state is State.COMPLETED
    assert disk.refused == 0


@pytest.mark.parametrize("database_url", ["sqlite_database_url"], indirect=True)
def test_rejects_wait_for_room_too(suite: Suite, disk: FullDisk, early_to_disk: None) -> None:
    suite.limits = LoadLimits(reject_bytes=2**30, seconds=3600)
    upload_id = suite.accept("hired_employees", REJECTS)
    with loading(suite, upload_id):
        eventually(lambda: disk.refused > 1 and waits_for_the_disk(suite, upload_id))
        disk.is_full = False
    assert suite.store.get(upload_id).rows.rejected == REJECTED
    assert len(suite.rejects(upload_id)) == REJECTED


@pytest.mark.parametrize("database_url", ["sqlite_database_url"], indirect=True)
def test_who_waits_for_room_leaves_it_to_others(
    suite: Suite, disk: FullDisk, early_to_disk: None
) -> None:
    disk.is_full = False
    files: list[FileIO] = []

    def full_after_the_first() -> FileIO:
        files.append(FileIO("/dev/full", "r+") if files else Scratch.new_file(disk))
        return files[-1]

    disk.new_file = full_after_the_first  # type: ignore[method-assign]
    suite.limits = LoadLimits(reject_bytes=2**30, seconds=3600)
    upload_id = suite.accept("hired_employees", HIRES + REJECTS)
    with loading(suite, upload_id):
        eventually(lambda: len(files) > 3 and waits_for_the_disk(suite, upload_id))
        assert all(file.closed for file in files[:2])
        disk.new_file = partial(Scratch.new_file, disk)  # type: ignore[method-assign]
    assert suite.store.get(upload_id).rows.inserted == ROWS


def test_too_few_open_files_have_uploads_wait(suite: Suite) -> None:
    class Crowded(Scratch):
        refused = 0

        def new_file(self) -> FileIO:
            try:
                with no_more_files() if self.refused < 6 else nullcontext():
                    return super().new_file()
            except DiskUnavailable:
                self.refused += 1
                raise

    other = suite.scratch
    with Crowded(other.path.parent) as suite.scratch:
        assert suite.load("departments", SOME).state is State.COMPLETED
        assert suite.scratch.refused == 6
    suite.scratch = other


def test_passes_that_end_for_want_of_room_take_nothing_of_the_time_for_the_load() -> None:
    now = 0.0
    work = WorkTime(60.0, keep=lambda _seconds: None, clock=lambda: now)
    for _ in range(100):
        with suppress(DiskUnavailable), work.opening(), work.running():
            now += 50
            raise DiskUnavailable("full")
    with work.opening(), work.running():
        now += 50
        work.check()
    assert work.seconds == 50


@pytest.mark.parametrize("number", sorted(DISK), ids=errno.errorcode.get)
def test_what_the_disk_refuses_is_weather(number: int) -> None:
    with pytest.raises(DiskUnavailable), weather_of_disk():
        raise OSError(number, os.strerror(number))


def test_a_mistake_is_no_weather() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"), weather_of_disk():
        os.close(-1)


def test_what_is_appended_is_there_to_read(scratch: Scratch) -> None:
    file = ScratchFile(scratch)
    assert [file.append(data) for data in (b"abc", b"", bytearray(b"defg"))] == [0, 3, 3]
    assert (file.read(2, 1), file.read(100, 3), file.size) == (b"bc", b"defg", 7)
    file.clear()
    assert (file.read(100, 0), file.size) == (b"", 0)
    assert file.append(b"x") == 0
    assert file.read(9, 0) == b"x"
    file.clear()


def test_nothing_is_left_of_a_process_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dbuploader.scratch import Scratch\n"
        "scratch = Scratch(Path(sys.argv[1])); print(scratch.path, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        (left / "rows.tsv").touch()
        with Scratch(tmp_path):
            assert left.exists(), "it is in use"
        process.send_signal(signal.SIGKILL)
    with Scratch(tmp_path) as scratch:
        assert list(tmp_path.iterdir()) == [scratch.path]
    assert list(tmp_path.iterdir()) == []


def test_many_that_start_at_once_take_nothing_from_each_other(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def begin(_number: int) -> list[Scratch]:
        start.wait()
        return [Scratch(tmp_path) for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        all_of_them = [each for some in threads.map(begin, range(8)) for each in some]
    assert {each.path for each in all_of_them} == set(tmp_path.iterdir())
    for each in all_of_them:
        each.close()


def test_a_folder_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.path.rmdir()
        file = ScratchFile(scratch)
        file.append(b"x")
        file.clear()


def test_a_directory_that_may_not_be_written_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="MUSTER_SCRATCH_DIR"):
        Scratch(tmp_path / "file" / "scratch")


def test_a_setting_that_is_empty_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/some/where")
    for given, root in {"": "/some/where", "/scratch": "/scratch"}.items():
        monkeypatch.setenv("MUSTER_SCRATCH_DIR", given)
        assert Settings().scratch_root == Path(root)
