"""What an uploader says of the labels of a file: the option `columns=`."""

import csv
from collections.abc import Mapping

from muster.contracts.tables import Table


def parse_columns(text: str, table: Table) -> Mapping[str, str]:
    """The column that each label means, blank for a label to pass over.

    `text` is one CSV record; each cell is a label and a column, split at its last colon, or a
    label that is a column's name. Raises ValueError, which says what to write.
    """
    if not text:
        return {}
    columns: dict[str, str] = {}
    for cell in _cells(text):
        label, colon, column = cell.rpartition(":")
        label, column = (label.strip(), column.strip()) if colon else (cell.strip(), cell.strip())
        if column and column not in table.column_names:
            names = ", ".join(table.column_names)
            raise ValueError(f"{column!r} is no column of {table.name}; its columns are {names}")
        if not label:
            raise ValueError(f"{cell!r} has no label: write LABEL:COLUMN")
        if label in columns:
            raise ValueError(f"the label {label!r} stands twice")
        columns[label] = column
    return columns


def _cells(text: str) -> list[str]:
    try:
        (cells,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        message = "write one CSV record, such as Employee No:id,Full name:name"
        raise ValueError(message) from error
    return cells
