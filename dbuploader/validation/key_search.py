"""Whether a file may hold the row of a key: read as the loader reads it, and in doubt yes."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.chunks import Chunk
from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.csvfile.reader import open_csv
from dbuploader.validation.rows import checker
from muster.contracts.rejects import Reject
from muster.contracts.tables import Table
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options

_BLOCK = 1024 * 1024
# A key that begins in one block may end in the next.
_OVERLAP = 32


class KeySearch:
    """Looks for one key of `table`.

    Where a record can't be split into cells, or the file not into records, it looks for the digits
    of the key. `alive` is called now and then.
    """

    def __init__(self, table: Table, key: int, alive: Callable[[], None]) -> None:
        self._table = table
        self._key = key
        self._alive = alive
        self._digits = re.compile(rf"(?<![0-9])0*{key}(?![0-9])")

    def is_in_file(self, file: BinaryIO, options: Options) -> bool:
        """Whether the file may hold the row; raises FileDamaged and StoreUnavailable."""
        try:
            return self._is_in_records(file, options)
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

    def _is_in_records(self, file: BinaryIO, options: Options) -> bool:
        columns = parse_columns(options.columns, self._table)
        how = CsvOptions(options.header, options.delimiter, options.encoding, columns)
        records = open_csv(file, self._table, how)
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

    def _is_in_bytes(self, file: BinaryIO) -> bool:
        """Also in UTF-16, whose digits have a NUL beside them."""
        tail = b""
        while block := file.read(_BLOCK):
            self._alive()
            text = tail + block.replace(b"\0", b"")
            if self._digits.search(text.decode("latin-1")):
                return True
            tail = text[-_OVERLAP:]
        return False
