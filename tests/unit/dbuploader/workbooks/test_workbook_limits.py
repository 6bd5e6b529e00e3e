"""What a workbook may take, and what becomes of one that can't be read."""

import io
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dbuploader.csvfile.model import FileError
from dbuploader.scratch import Scratch
from dbuploader.workbooks import child, package
from dbuploader.workbooks.content import open_content
from dbuploader.workbooks.process import Workspace
from tests.unit.dbuploader.workbooks.conftest import MOST_BYTES, ReadLines, an_upload
from tests.unit.dbuploader.workbooks.making import HIRES, SHEET, one_sheet, with_part, zipped
from tests.waiting import eventually

DATA = Path(__file__).parent / "data"
GOOD = one_sheet([HIRES, [1, "Ana", "2021-07-27", 2, 3]])


def failure(read_lines: ReadLines, content: bytes) -> FileError:
    with pytest.raises(FileError) as failed:
        read_lines(content)
    return failed.value


def test_a_bomb_is_not_unpacked(read_lines: ReadLines) -> None:
    bomb = with_part(GOOD, SHEET, lambda xml: xml + b" " * (MOST_BYTES + 1))
    assert len(bomb) < 64 * 1024

    error = failure(read_lines, bomb)

    assert error.code == "workbook-too-large"
    assert "MUSTER_MAX_WORKBOOK_BYTES" in error.detail


def test_sizes_are_added_up_before_anything_is_unpacked() -> None:
    assert package.check(io.BytesIO(GOOD), MOST_BYTES)
    with pytest.raises(package.Unreadable):
        package.check(io.BytesIO(GOOD), 1000)


def test_a_bomb_whose_directory_lies_meets_the_limits_of_its_process(
    read_lines: ReadLines,
) -> None:
    cells = b"".join(b'<c r="%s1"><v>1</v></c>' % letter for letter in (b"A", b"XFD"))
    row = b'<row r="1">' + cells + b"</row>"
    last = row.replace(b'"1"', b'"1048576"').replace(b'1"><v>', b'1048576"><v>')
    sparse = with_part(
        GOOD,
        SHEET,
        lambda xml: xml.replace(xml[xml.index(b"<row") : xml.index(b"</sheetData>")], row + last),
    )

    # Two rows whose area has 17 billion places.
    assert failure(read_lines, sparse).code == "workbook-too-large"


def test_sizes_that_are_not_those_of_the_directory(read_lines: ReadLines) -> None:
    content = bytearray(with_part(GOOD, SHEET, lambda xml: xml + b" " * 1000))
    entry = content.index(b"PK\x01\x02")
    while content[entry + 46 : entry + 46 + len(SHEET)] != SHEET.encode():
        entry = content.index(b"PK\x01\x02", entry + 1)
    struct.pack_into("<I", content, entry + 24, 10)

    error = failure(read_lines, bytes(content))

    assert error.code in {"workbook-damaged", "workbook-too-large"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"id,name\n1,Ana\n", id="csv"),
        pytest.param(GOOD[:-200], id="cut"),
        pytest.param(GOOD[:2000] + b"\0" * 2000 + GOOD[4000:], id="holed"),
        pytest.param(zipped({"a.txt": b"hello"}), id="zip"),
        pytest.param(
            zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<d/>"}), id="docx"
        ),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000, id="ole2"),
        pytest.param(with_part(GOOD, SHEET, lambda xml: xml[: len(xml) * 2 // 3]), id="xml"),
    ],
)
def test_what_is_no_workbook(read_lines: ReadLines, content: bytes) -> None:
    error = failure(read_lines, content)

    assert error.code == "workbook-damaged"
    assert "Errno" not in error.detail


def test_a_new_kind_of_error_is_named(read_lines: ReadLines) -> None:
    content = one_sheet([HIRES, [1, "#REF!", None, 2, 3]])

    error = failure(
        read_lines, with_part(content, SHEET, lambda xml: xml.replace(b"#REF!", b"#SPILL!"))
    )

    assert error.code == "workbook-damaged"
    assert "#SPILL!" in error.detail


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "xls", "ods"])
def test_one_with_a_password_says_so(read_lines: ReadLines, kind: str) -> None:
    assert (
        failure(read_lines, (DATA / f"password.{kind}").read_bytes()).code == "workbook-encrypted"
    )


CONFINED = """
import os, socket
from pathlib import Path
os.dup2(0, 3)
from dbuploader.workbooks.child import confine
confine(512 * 1024**2)
for attempt in (socket.socket, lambda: Path("/etc/hostname").open(), lambda: b"x" * 2**30):
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(type(error).__name__, getattr(error, "errno", ""))
print(sorted(os.environ))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS bounds no address space")
def test_its_process_can_open_neither_sockets_nor_files_and_has_bounded_memory() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CONFINED],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines()[:3] == ["OSError 24", "OSError 24", "MemoryError "]
    assert "PATH" not in ran.stdout


class Interrupted(Exception):
    pass


def children() -> list[psutil.Process]:
    return [process for process in psutil.Process().children() if is_parsing(process)]


def is_parsing(process: psutil.Process) -> bool:
    try:
        return child.__name__ in process.cmdline()
    except psutil.Error:
        return False


def open_and(content: bytes, scratch: Scratch, tick: Callable[[], None]) -> None:
    workspace = Workspace(scratch.new_file, MOST_BYTES, tick)
    with open_content(io.BytesIO(content), an_upload(), workspace) as opened:
        while opened.stream.read(1000):
            pass


def test_who_waits_can_end_it_while_it_works(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It takes less than a tick to start.
    monkeypatch.setattr("dbuploader.workbooks.process._TICK_SECONDS", 0.001)

    def stop_it() -> None:
        for process in children():
            process.suspend()
            raise Interrupted

    with pytest.raises(Interrupted):
        open_and(GOOD, scratch, stop_it)

    assert children() == []


def test_its_text_is_not_taken_for_whole_when_it_dies(scratch: Scratch) -> None:
    rows = [[number, "A" * 200, "2021-07-27", 2, 3] for number in range(5000)]
    workspace = Workspace(scratch.new_file, MOST_BYTES, lambda: None)
    content = one_sheet([HIRES, *rows])

    with open_content(io.BytesIO(content), an_upload(), workspace) as opened:
        assert opened.stream.read(1000)
        for process in children():
            process.kill()
        with pytest.raises(FileError) as failed:
            opened.stream.read(100_000_000)

    assert failed.value.code == "workbook-too-large"


def test_two_run_at_once_at_most(scratch: Scratch) -> None:
    most = 0
    go_on = threading.Event()
    lock = threading.Lock()

    def count() -> None:
        nonlocal most
        with lock:
            most = max(most, len(children()))
        go_on.set()

    threads = [
        threading.Thread(target=open_and, args=(GOOD, scratch, count), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: not any(thread.is_alive() for thread in threads))

    assert go_on.is_set()
    assert most <= 2


def test_nothing_of_it_is_left_open(scratch: Scratch) -> None:
    before = psutil.Process().num_fds()

    open_and(GOOD, scratch, lambda: None)

    assert psutil.Process().num_fds() == before
