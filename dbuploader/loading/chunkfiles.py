"""Batches of rows as private files, from which a server takes them."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy import Connection

from muster.database import Database, FilesRefused

log = structlog.get_logger(__name__)


class ChunkFiles:
    """Sends rows by files while the database takes them. Once it refused it isn't asked again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.usable = database.files is not None

    def load(self, connection: Connection, table: str, rows: pa.RecordBatch) -> None:
        """Insert `rows` into `table` within the transaction; raises as Database.load_file does."""
        with tempfile.NamedTemporaryFile(dir=self._database.files, suffix=".tsv") as file:
            file.write(_lines(rows))
            file.flush()
            try:
                self._database.load_file(
                    connection, table, rows.schema.names, Path(file.name), len(rows)
                )
            except FilesRefused as error:
                self.usable = False
                log.warning("the server takes no files: rows go by INSERT", error=str(error))
                raise


def _lines(rows: pa.RecordBatch) -> memoryview:
    """The rows as lines. No value has a tab or a line end: control characters are rejected."""
    first, *others = [column.cast(pa.string()) for column in rows.columns]
    # A line end before each row, so that the array's own buffer holds the whole file.
    first = pc.binary_join_element_wise("\n", first, "")
    lines = pc.binary_join_element_wise(first, *others, "\t")
    offsets = memoryview(lines.buffers()[1]).cast("i")
    start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
    return memoryview(bytes(memoryview(lines.buffers()[2])[start + 1 : end]) + b"\n")
