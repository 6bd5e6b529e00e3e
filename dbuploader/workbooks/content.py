"""An upload's file as the text that `dbuploader/csvfile` reads, whether it is CSV or a workbook."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from dbuploader.csvfile.model import CsvOptions, FileError
from dbuploader.workbooks.process import Workspace
from dbuploader.workbooks.sheet import DELIMITER, ENCODING, Sheet, SheetWanted, open_sheet
from muster.contracts.tables import get_table
from muster.contracts.tables.mapping import parse_columns
from muster.contracts.uploads import Upload


class Content(NamedTuple):
    """What the records of a file are read from, and how; `sheet` is the workbook's, if it is one.

    `stream` tells how far it is read as a place in the file.
    """

    stream: BinaryIO | Sheet
    how: CsvOptions
    sheet: Sheet | None = None


@contextmanager
def open_content(file: BinaryIO, upload: Upload, workspace: Workspace) -> Iterator[Content]:
    """The content of the upload's `file`, as its options say.

    Raises FileError and DiskUnavailable.
    """
    options, table = upload.options, get_table(upload.table)
    columns = parse_columns(options.columns, table)
    if not upload.is_workbook:
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
    wanted = SheetWanted(table, options.sheet, columns, options.header != "absent")
    with open_sheet(file, wanted, workspace) as sheet:
        yield Content(sheet, CsvOptions(options.header, DELIMITER, ENCODING, columns), sheet)
