"""Rows as tab-separated text, as databases take and send many at once.

No checked value has a tab or a line end in it: control characters are rejected.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dbuploader.arrow import rows_schema
from muster.contracts.tables import Table


def to_tsv(rows: pa.RecordBatch) -> bytes:
    """The rows, each with an LF at its end, in UTF-8."""
    first, *others = [column.cast(pa.string()) for column in rows.columns]
    # A line end before each row, so that the array's own buffer holds all of the text.
    first = pc.binary_join_element_wise("\n", first, "")
    lines = pc.binary_join_element_wise(first, *others, "\t")
    offsets = memoryview(lines.buffers()[1]).cast("i")
    start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
    return b"".join([memoryview(lines.buffers()[2])[start + 1 : end], b"\n"])


def from_tsv(table: Table, text: str, count: int) -> pa.RecordBatch:
    """The `count` rows of `table` that stand in `text`, as to_tsv writes them.

    Raises ValueError if they don't: the text is cut, or a value has a tab or a line end in it.
    """
    schema = rows_schema(table)
    if not count:
        return pa.RecordBatch.from_pylist([], schema)
    if not text.endswith("\n"):
        raise ValueError(f"{count} rows of {table.name} were cut")
    data = text.encode()
    found = csv.read_csv(
        pa.py_buffer(data),
        csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=schema.names),
        csv.ParseOptions(delimiter="\t", quote_char=False),
        csv.ConvertOptions(
            check_utf8=False,
            column_types={field.name: field.type for field in schema},
            strings_can_be_null=False,
        ),
    )
    if len(found) != count:
        raise ValueError(f"{count} rows of {table.name} took {len(found)} lines")
    arrays = [column.combine_chunks() for column in found.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
