"""The rejected rows of one file: spooled to disk, counted by cause, and stored for the uploader."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from dbuploader.scratch import Scratch, ScratchFile
from muster.contracts.error_codes import ROW_ERRORS
from muster.contracts.rejects import Reject, RejectsHeader, SheetColumns
from muster.contracts.uploads import Cause
from muster.filestore import FileStore

_BLOCK = 1024 * 1024


@dataclass
class _Group:
    rows: int
    first_line: int
    message: str
    alike: bool = True


class RejectsFull(Exception):
    """No room for more rejects; `row` is the number of the first record whose reject is lost."""

    def __init__(self, row: int) -> None:
        super().__init__(f"the reject of row {row} does not fit")
        self.row = row


class Rejects:
    """Takes rejects in the order of the input; memory does not grow with their number.

    They take at most `most_bytes` on disk. Calls may raise DiskUnavailable: then `clear` it and
    begin again.
    """

    def __init__(self, most_bytes: int, scratch: Scratch) -> None:
        self._most_bytes = most_bytes
        self._file = ScratchFile(scratch)
        self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.clear()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget all rejects, and give back their room; raises nothing."""
        self._file.clear()
        # Of most files all rejects fit in here.
        self._unwritten = bytearray()
        self._count = self._bytes = 0
        self._raw = False
        self._groups: dict[tuple[str, str | None], _Group] = {}

    def add(self, rejects: Iterable[Reject]) -> None:
        """Take further rejects; raises RejectsFull at the first that does not fit."""
        for reject in rejects:
            line = reject.to_json().encode() + b"\n"
            self._bytes += len(line)
            if self._bytes > self._most_bytes:
                raise RejectsFull(reject.row)
            self._unwritten += line
            if len(self._unwritten) >= _BLOCK:
                self._file.append(self._unwritten)
                self._unwritten = bytearray()
            self._count += 1
            self._raw = self._raw or reject.raw is not None
            self._group(reject)

    def causes(self) -> tuple[Cause, ...]:
        """Rejects by code and column of their first error, most rows first."""
        causes = [
            Cause(code, column, group.rows, group.first_line, _message(code, group))
            for (code, column), group in self._groups.items()
        ]
        return tuple(sorted(causes, key=lambda cause: (-cause.rows, cause.first_line)))

    def store(
        self,
        files: FileStore,
        name: str,
        labels: tuple[str, ...],
        alive: Callable[[], None],
        sheet: SheetColumns | None = None,
    ) -> None:
        """Write them to the file `name`, if there are any; of a workbook with where they were.

        `alive` is called after each block. Raises StoreUnavailable.
        """
        if not self._count:
            return
        size = self._file.size + len(self._unwritten)
        header = RejectsHeader(labels, self._raw, size, sheet)
        with files.write(name) as stored:
            stored.write(header.to_json().encode() + b"\n")
            for begin in range(0, self._file.size, _BLOCK):
                stored.write(self._file.read(_BLOCK, begin))
                alive()
            stored.write(bytes(self._unwritten))

    def _group(self, reject: Reject) -> None:
        error = reject.errors[0]
        group = self._groups.get((error.code, error.column))
        if group is None:
            self._groups[error.code, error.column] = _Group(1, reject.line, error.message)
        else:
            group.rows += 1
            group.alike = group.alike and group.message == error.message


def _message(code: str, group: _Group) -> str:
    if group.alike:
        return group.message
    return f"{ROW_ERRORS[code].summary}, as on line {group.first_line}: {group.message}"
