"""Whether a file may hold the row of a key: read as the loader reads it, and in doubt yes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.chunks import Chunk
from dbuploader.csvfile.encoding import ByteStream
from dbuploader.csvfile.model import FileError
from dbuploader.csvfile.reader import open_csv
from dbuploader.validation.rows import checker
from dbuploader.workbooks.content import Content, open_content
from dbuploader.workbooks.process import Workspace
from muster.contracts.rejects import Reject
from muster.contracts.tables import Table
from muster.contracts.uploads import Upload

_BLOCK = 1024 * 1024
# A key that begins in one block may end in the next.
_OVERLAP = 32


class KeySearch:
    """Looks for one key of `table`.

    Where a record can't be split into cells, or the file not into records, it looks for the digits
    of the key. A workbook is read in the `workspace`, whose `tick` is called now and then.
    """

    def __init__(self, table: Table, key: int, workspace: Workspace) -> None:
        self._table = table
        self._workspace = workspace
        self._key = key
        self._alive = workspace.tick
        self._digits = re.compile(rf"(?<![0-9])0*{key}(?![0-9])")

    def is_in_file(self, file: BinaryIO, upload: Upload) -> bool:
        """Whether the upload's file may hold the row; raises FileDamaged and StoreUnavailable."""
        if upload.is_workbook:
            return self._is_in_workbook(file, upload)
        try:
            with open_content(file, upload, self._workspace) as content:
                return self._is_in_records(content)
        except (FileError, ValueError):
            file.seek(0)
            return self._is_in_bytes(file)

    def is_in_rejects(self, rejects: Iterable[Reject]) -> bool:
        """Whether one of the rejects may be of the row."""
        for reject in rejects:
            self._alive()
            if self._is_in_texts([*(reject.cells or ()), reject.raw or ""]):
                return True
        return False

    def _is_in_workbook(self, file: BinaryIO, upload: Upload) -> bool:
        """In its sheet, or, by the digits of the key, in one of the others."""
        try:
            with open_content(file, upload, self._workspace) as content:
                if content.sheet is None or self._is_in_records(content):
                    return True
                names = [sheet.name for sheet in content.sheet.all]
                others = [name for name in names if name != content.sheet.name]
            return any(self._is_in_sheet(file, upload, name) for name in others)
        except (FileError, ValueError):
            return True

    def _is_in_sheet(self, file: BinaryIO, upload: Upload, name: str) -> bool:
        file.seek(0)
        there = replace(upload, options=replace(upload.options, sheet=name))
        with open_content(file, there, self._workspace) as content:
            return self._is_in_bytes(content.stream)

    def _is_in_records(self, content: Content) -> bool:
        records = open_csv(content.stream, self._table, content.how)
        place = records.labels.index(self._table.key)
        return any(self._is_in_chunk(chunk, place) for chunk in self._each(records.chunks()))

    def _each(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self._alive()
            yield chunk

    def _is_in_chunk(self, chunk: Chunk, place: int) -> bool:
        (column,) = [each for each in self._table.columns if each.name == self._table.key]
        keys = checker(column).check_column(chunk.cells.column(place))
        if pc.any(pc.equal(keys, pa.scalar(self._key, keys.type)), min_count=0).as_py():
            return True
        return any(
            self._is_in_texts([*(record.cells or ()), record.raw or ""]) for record in chunk.flawed
        )

    def _is_in_texts(self, texts: Iterable[str]) -> bool:
        return any(self._digits.search(text) for text in texts)

    def _is_in_bytes(self, file: ByteStream) -> bool:
        """Also in UTF-16, whose digits have a NUL beside them."""
        tail = b""
        while block := file.read(_BLOCK):
            self._alive()
            text = tail + block.replace(b"\0", b"")
            if self._digits.search(text.decode("latin-1")):
                return True
            tail = text[-_OVERLAP:]
        return False
