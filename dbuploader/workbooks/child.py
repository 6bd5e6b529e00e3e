"""`python -m dbuploader.workbooks.child FD BYTES`: the process that parses one workbook.

The workbook, of at most BYTES unpacked, is the open file FD. It answers commands, one a line of
standard input, on standard output; answers are JSON, one a line:

- at first, unasked: `{"sheets": [{"name": …, "visible": …}, …]}`, worksheets only
- `head N`: `{"rows": [[…], …]}`, the first rows of sheet N, from 0, that hold anything
- `read N`: `{"first_column": …, "rows": …}`, and then each row of the sheet as a line of text
  (`cells.py`), from the first of the sheet on; then it ends, with status 0

or `{"error": …, "detail": …}`, after which it ends. Nothing is imported but the standard library
and the parser, and there is no environment: it knows no secret, can open neither files nor sockets
and ends by itself where its work takes too much.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from dbuploader.workbooks import package
from dbuploader.workbooks.cells import UNREADABLE, line_of, text_of, width_of
from dbuploader.workbooks.package import Place, Unreadable

HEAD_ROWS = 10
_HEAD_CELLS = 1001
_HEAD_CHARACTERS = 255
# Of the first so many rows, the last column that holds anything is the sheet's last.
_WIDTH_ROWS = 100
_CPU_SECONDS = 300
# The parser takes about twice what it unpacks, and 32 bytes for each place of the sheet's area.
_MEMORY_PER_BYTE = 4
_MEMORY = 192 * 1024 * 1024
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_FILE = 3


class Workbook:
    """The workbook in `file`, which may unpack to `most_bytes`; raises Unreadable."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._is_zip = package.check(file, most_bytes)
        self._is_exact = self._is_zip and package.is_opendocument(file)
        if self._is_exact:
            package.check_texts(file)
        file.seek(0)
        self._workbook = CalamineWorkbook.from_filelike(file)
        self._sheets = [
            sheet
            for sheet in self._workbook.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet
        ]
        self._last: CalamineSheet | None = None
        self._errors: Mapping[Place, str] = {}

    def sheets(self) -> dict[str, Any]:
        """What worksheets there are."""
        return {
            "sheets": [
                {"name": sheet.name, "visible": sheet.visible == SheetVisibleEnum.Visible}
                for sheet in self._sheets
            ]
        }

    def head(self, number: int) -> dict[str, Any]:
        """The first rows of a sheet that hold anything, cut to what a header may be."""
        rows = (row for row in self._rows(number) if width_of(row))
        cut = [
            [cell[:_HEAD_CHARACTERS] for cell in row[:_HEAD_CELLS]]
            for row in islice(rows, HEAD_ROWS)
        ]
        return {"rows": cut}

    def measure(self, number: int) -> dict[str, Any]:
        """Where a sheet that holds anything begins and ends."""
        start, end = self._sheet(number).start, self._sheet(number).end
        if start is None or end is None:
            return {"first_column": 0, "rows": 0}
        return {"first_column": start[1], "rows": end[0] + 1}

    def lines(self, number: int) -> Iterator[bytes]:
        """Each row of a sheet, from the first on, as a line."""
        rows = self._rows(number)
        first = list(islice(rows, _WIDTH_ROWS))
        width = max(map(width_of, first), default=0)
        for row in chain(first, rows):
            yield line_of(row, width)

    def _rows(self, number: int) -> Iterator[list[str]]:
        sheet = self._sheet(number)
        if sheet.start is None:
            return
        first_column = sheet.start[1]
        for number, row in enumerate(sheet.iter_rows()):
            texts = [text_of(cell, counts_days=not self._is_exact) for cell in row]
            if self._errors:
                for place, text in enumerate(texts):
                    error = self._errors.get((number, first_column + place))
                    if error and not text:
                        texts[place] = UNREADABLE + error
            yield texts

    def _sheet(self, number: int) -> CalamineSheet:
        name = self._sheets[number].name
        if self._last is None or self._last.name != name:
            self._last = None
            self._last = self._workbook.get_sheet_by_name(name)
            if self._is_zip and not self._is_exact:
                self._errors = package.errors_in(self._file, name)
        return self._last


def confine(memory: int) -> None:
    """Take away what a parser doesn't need, for good: to be called once all is imported.

    No further file can be opened, hence no socket, and none written; `memory` is in bytes.
    """
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: _CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_NOFILE: _FILE + 1,
    }
    os.closerange(_FILE + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    # Where memory is short, the kernel is to end this process and none beside it.
    with suppress(OSError), _OOM_SCORE.open("w") as score:
        score.write("1000")
    for limit, value in limits.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):
            # macOS bounds no address space.
            if sys.platform == "linux":
                raise


def _answer(fields: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(fields).encode() + b"\n")
    sys.stdout.buffer.flush()


def _refuse(unreadable: Unreadable) -> None:
    _answer({"error": unreadable.code, "detail": unreadable.detail})


def _serve(file: BinaryIO, most_bytes: int) -> None:
    workbook = Workbook(file, most_bytes)
    _answer(workbook.sheets())
    for command in sys.stdin.buffer:
        verb, number = command.split()
        if verb == b"head":
            _answer(workbook.head(int(number)))
            continue
        _answer(workbook.measure(int(number)))
        _write(workbook.lines(int(number)))
        return


def _write(lines: Iterator[bytes]) -> None:
    """Write all of them, or end at once: what follows a part of them would be taken for a line."""
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BaseException:  # noqa: BLE001 - a panic of the parser is no Exception
        os._exit(1)


def main() -> None:
    """Serve until the sheet is read, or standard input ends."""
    descriptor, most_bytes = map(int, sys.argv[1:])
    if descriptor != _FILE:
        os.dup2(descriptor, _FILE)
    with open(_FILE, "rb") as file:
        confine(_MEMORY + _MEMORY_PER_BYTE * most_bytes)
        try:
            _serve(file, most_bytes)
        except Unreadable as unreadable:
            _refuse(unreadable)
        except MemoryError:
            os.abort()
        except BaseException as error:  # noqa: BLE001 - a panic of the parser is no Exception
            _refuse(package.damaged(error))


if __name__ == "__main__":
    main()
