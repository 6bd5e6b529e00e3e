"""The pipe through which a server reads rows: to its end, or no further than it wants."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dbuploader.merge.load_data import NobodyReads, RowPipe
from muster.weather import DiskUnavailable
from tests.scarcity import no_more_files

MORE_THAN_FITS = b"1\tAna\n" * 1_000_000


@pytest.fixture
def pipe(tmp_path: Path) -> RowPipe:
    return RowPipe(tmp_path)


def test_a_reader_gets_all_that_is_written(pipe: RowPipe) -> None:
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(pipe.path.read_bytes)
        pipe.open()
        pipe.write(MORE_THAN_FITS)
        pipe.write(b"2\tBo\n")
        pipe.close()

        assert reading.result() == MORE_THAN_FITS + b"2\tBo\n"
    pipe.leave()
    assert pipe.lines == 1_000_001
    assert not pipe.path.exists()


def test_who_opens_waits_for_a_reader_that_comes_late(pipe: RowPipe) -> None:
    opened = threading.Event()

    def write() -> None:
        pipe.open()
        opened.set()
        pipe.write(b"1\tAna\n")
        pipe.close()

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        assert not opened.wait(0.05)
        assert pipe.path.read_bytes() == b"1\tAna\n"
        writing.result()


def test_a_reader_that_waits_is_not_left_alone_for_want_of_open_files(pipe: RowPipe) -> None:
    reader = os.open(pipe.path, os.O_RDONLY | os.O_NONBLOCK)
    with no_more_files():
        pipe.open()
    pipe.write(b"1\tAna\n")
    pipe.close()
    assert os.read(reader, 100) == b"1\tAna\n"
    os.close(reader)


def test_a_pipe_that_can_not_be_made_is_weather(tmp_path: Path) -> None:
    with no_more_files(), pytest.raises(DiskUnavailable):
        RowPipe(tmp_path)


def test_who_writes_for_nobody_is_told(pipe: RowPipe) -> None:
    with ThreadPoolExecutor(1) as thread:
        # Before anybody has read, as when the server refuses the statement.
        leaving = thread.submit(pipe.leave)
        pipe.open()
        with pytest.raises(NobodyReads):
            pipe.write(MORE_THAN_FITS)
        leaving.result()


def test_who_writes_is_told_when_the_reader_goes(pipe: RowPipe) -> None:
    def read_a_little() -> None:
        with pipe.path.open("rb") as file:
            file.read(10)
        pipe.leave()

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read_a_little)
        pipe.open()
        with pytest.raises(NobodyReads):
            pipe.write(MORE_THAN_FITS)
        reading.result()
