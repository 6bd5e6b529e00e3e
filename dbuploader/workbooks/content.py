"""An upload's file as the text that `dbuploader/csvfile` reads, whether it is CSV or a workbook."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, NamedTuple

from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.workbooks.process import Workspace
from dbuploader.workbooks.sheet import DELIMITER, ENCODING, Sheet, SheetWanted, open_sheet
from muster.contracts.tables import Table, get_table
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Options, Upload


class Content(NamedTuple):
    """What the records of a file are read from, and how; `sheet` is the workbook's, if it is one.

    `stream` tells how far it is read as a place in the file.
    """

    stream: BinaryIO | Sheet
    how: CsvOptions
    sheet: Sheet | None = None


def open_content(
    file: BinaryIO, upload: Upload, workspace: Workspace
) -> AbstractContextManager[Content]:
    """The content of the upload's `file`, as its options say.

    Raises FileError and DiskUnavailable.
    """
    wanted = Wanted(get_table(upload.table), upload.options, upload.is_workbook)
    return open_as(file, wanted, workspace)


class Wanted(NamedTuple):
    """What a file is read as: rows of that table, by those options, from a workbook or from CSV."""

    table: Table
    options: Options
    is_workbook: bool


@contextmanager
def open_as(file: BinaryIO, wanted: Wanted, workspace: Workspace) -> Iterator[Content]:
    """The content of any `file`. Raises FileError and DiskUnavailable."""
    table, options, is_workbook = wanted
    columns = parse_columns(options.columns, table)
    if not is_workbook:
        if options.sheet is not None:
            raise FileError(
                "option-error", "sheet= is for workbooks, and this file is none: leave it out."
            )
        how = CsvOptions(options.header, options.delimiter, options.encoding, columns)
        yield Content(file, how)
        return
    if options.delimiter != "auto" or options.encoding != "auto":
        raise FileError(
            "option-error",
            "delimiter= and encoding= are for CSV, and this file is a workbook: leave them out.",
        )
    which = SheetWanted(table, options.sheet, columns, options.header != "absent")
    with open_sheet(file, which, workspace) as sheet:
        yield Content(sheet, CsvOptions(options.header, DELIMITER, ENCODING, columns), sheet)
