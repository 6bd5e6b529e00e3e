"""The codes of what can be wrong with a file and its rows, and what people are told about each.

The reject file, the page, the email and `docs/errors.md` take their texts from here. The codes are
those of Frictionless where it has one: https://specs.frictionlessdata.io/ and its `errors`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RowErrorCode = Literal[
    "missing-cell",
    "extra-cell",
    "type-error",
    "constraint-error",
    "primary-key",
    "foreign-key",
    "quote-error",
    "encoding-error",
    "row-error",
    "erased",
    "kept",
    "blocked",
]
"""Why a row is rejected, or, of an undo, why it is not undone."""

FailureCode = Literal[
    "empty-file",
    "unknown-header",
    "extra-label",
    "incorrect-label",
    "missing-label",
    "duplicate-label",
    "blank-label",
    "dialect-error",
    "option-error",
    "sheet-error",
    "workbook-damaged",
    "workbook-encrypted",
    "workbook-too-large",
    "encoding-error",
    "quote-error",
    "row-error",
    "too-many-rejects",
    "expectation",
    "too-slow",
    "too-many-attempts",
    "changed-meanwhile",
    "file-erased",
    "file-missing",
    "file-damaged",
    "undo-blocked",
    "undo-expired",
    "row-referred",
    "nothing-to-undo",
    "already-undone",
    "internal-error",
]
"""Why a whole upload failed."""


@dataclass(frozen=True)
class RowError:
    """A code of rejected rows: its name for people, what most often causes it, and what to do.

    `summary` says what is wrong with several such rows, as a part of a sentence. `see` is a further
    sentence of the documentation, in Markdown.
    """

    title: str
    summary: str
    cause: str
    remedy: str
    see: str = ""


@dataclass(frozen=True)
class UploadError:
    """A code of failed uploads: its name for people, what it means, and what the uploader does.

    `summary` ends a sentence that begins with "Nothing was loaded:" or, of an undo, "Nothing was
    undone:". One that is `for_operators` is theirs to look into: sending the file again doesn't
    help. `see` is a further sentence of the documentation, in Markdown.
    """

    title: str
    summary: str
    meaning: str
    remedy: str
    see: str = ""
    for_operators: bool = False


ROW_ERRORS: Mapping[str, RowError] = {
    "missing-cell": RowError(
        title="Too few cells",
        summary="the row has fewer cells than there are columns",
        cause="A line was cut, or a comma got lost.",
        remedy="Put the missing cell where it belongs.",
    ),
    "extra-cell": RowError(
        title="Too many cells",
        summary="the row has more cells than there are columns",
        cause="A cell that is not in quotes contains a comma.",
        remedy="Put the cell in quotes.",
    ),
    "type-error": RowError(
        title="Not of the column's type",
        summary="the value is not of the column's type",
        cause="An id is written as 1.5 or as a name, or a date as 7/11/2021.",
        remedy="Write it as the message says.",
        see="Dates are written as `2021-11-07T02:48:42Z`; `dates=dmy` or `dates=mdy` takes others.",
    ),
    "constraint-error": RowError(
        title="Blank, too long or out of range",
        summary="the value is blank, too long or out of range",
        cause="A cell is blank, an id is 0, or a name has more than 255 characters.",
        remedy="Fill in or correct the cell.",
    ),
    "primary-key": RowError(
        title="The key is taken",
        summary="the key is taken",
        cause="An earlier row of the file has the key with other values, or, with mode=insert, the "
        "table has it.",
        remedy="Keep the row that is right.",
    ),
    "foreign-key": RowError(
        title="Refers to a row that is not there",
        summary="the row refers to one that is not there",
        cause="The department or job is not loaded yet.",
        remedy="Send that file first, then the rejected rows as they are.",
    ),
    "quote-error": RowError(
        title="A quotation mark in the wrong place",
        summary="a quotation mark stands where none may",
        cause="A cell holds a single quotation mark.",
        remedy="Write the mark twice, with the cell in quotes.",
    ),
    "encoding-error": RowError(
        title="Not text in the file's encoding",
        summary="there are bytes that are not text in the file's encoding",
        cause="The file is not in UTF-8.",
        remedy="Send the whole file again with encoding=cp1252, or whichever it is in.",
    ),
    "row-error": RowError(
        title="Could not be read",
        summary="the row could not be read",
        cause="A line has more than 64 KiB.",
        remedy="Check whether the file is CSV at all.",
    ),
    "erased": RowError(
        title="The row was erased",
        summary="the row was erased",
        cause="The row was erased after the file had been sent, and before it was loaded.",
        remedy="Leave the row out. If it should be in the table again, send it anew.",
    ),
    "kept": RowError(
        title="Changed later",
        summary="a later change touched the row, or it was undone before",
        cause="Of an undo: a later upload or batch changed the row, or it was undone before.",
        remedy="Undo that later change first, then this one again.",
    ),
    "blocked": RowError(
        title="Other rows depend on it",
        summary="other rows refer to the row, or what it referred to is gone",
        cause="Of an undo: other rows refer to the row, or a row that it referred to is gone.",
        remedy="Undo what loaded those rows, or what removed that one, then this one again.",
    ),
}

_HEADER = "Correct the first line of the file, or leave it out, and send the file again."
_OPERATORS = "Sending the same file again will not help. Give its id to the operators."

UPLOAD_ERRORS: Mapping[str, UploadError] = {
    "empty-file": UploadError(
        title="The file is empty",
        summary="the file is empty",
        meaning="There is no record at all, not even a header.",
        remedy="Check whether it is the right file and was completely written, and send it again.",
    ),
    "unknown-header": UploadError(
        title="No header was found",
        summary="no line of the file names its columns",
        meaning="The first records are neither a header nor rows, or a row precedes the header.",
        remedy="Name the columns in the first line, and send the file again.",
        see="Or say what its labels mean, with `columns=`, or `header=absent`, if there is none.",
    ),
    "extra-label": UploadError(
        title="An unknown column",
        summary="the file has a column that the table does not have",
        meaning="The header names a column that the table doesn't have.",
        remedy=_HEADER,
        see="A name that begins with `_` is ignored; `columns=` says what a label means.",
    ),
    "incorrect-label": UploadError(
        title="A second header",
        summary="the file holds a second header, in another order",
        meaning="A later line is a header in another order.",
        remedy="Send what follows that line as a file of its own.",
    ),
    "missing-label": UploadError(
        title="A missing column",
        summary="the file lacks a column",
        meaning="The header lacks a column.",
        remedy=_HEADER,
        see="All columns of a table are required.",
    ),
    "duplicate-label": UploadError(
        title="A column twice",
        summary="a column of the file stands there twice",
        meaning="The header names a column twice.",
        remedy=_HEADER,
    ),
    "blank-label": UploadError(
        title="A column without a name",
        summary="a column of the file has no name",
        meaning="A column of the header has no name, or one without a name at its end has values.",
        remedy=_HEADER,
    ),
    "dialect-error": UploadError(
        title="An unknown delimiter",
        summary="it is not known what separates the cells",
        meaning="The delimiter is unknown.",
        remedy="Separate the cells by commas, semicolons, tabs or pipes, and send the file again.",
        see="`delimiter=` says which of them it is.",
    ),
    "option-error": UploadError(
        title="An option for another kind of file",
        summary="it was sent with an option that is for another kind of file",
        meaning="The upload of a CSV file says sheet=, or that of a workbook delimiter= or "
        "encoding=.",
        remedy="Leave the option out, and send the file again.",
    ),
    "sheet-error": UploadError(
        title="No such sheet",
        summary="the workbook has no sheet of that name",
        meaning="The workbook has no sheet with the name that sheet= gives.",
        remedy="Name one of the sheets that it has, and send it again.",
        see="Without `sheet=` [Muster finds it](csv.md#workbooks).",
    ),
    "workbook-damaged": UploadError(
        title="Not a readable workbook",
        summary="the workbook can't be read",
        meaning="The file is no workbook, is damaged, or holds what can't be read for certain.",
        remedy="Open it in a spreadsheet, save it again, or save its sheet as CSV, and send that.",
    ),
    "workbook-encrypted": UploadError(
        title="A workbook with a password",
        summary="the workbook is protected by a password",
        meaning="The workbook is protected by a password.",
        remedy="Save it without a password, or save its sheet as CSV, and send that.",
    ),
    "workbook-too-large": UploadError(
        title="The workbook is too large",
        summary="the workbook is too large",
        meaning="Unpacked it has more than MUSTER_MAX_WORKBOOK_BYTES, or reading it takes more "
        "memory or time than it may.",
        remedy="Save its sheet as CSV, and send that.",
    ),
    "encoding-error": UploadError(
        title="Another encoding",
        summary="the file is not in the encoding that it should be in",
        meaning="The encoding is unknown, or the file contradicts it.",
        remedy="Save the file as UTF-8, or say which encoding it is in, and send it again.",
        see="`encoding=` names one of [the list](csv.md#encoding); UTF-16 without a mark is "
        "`utf-16-le` or `utf-16-be`.",
    ),
    "quote-error": UploadError(
        title="A quotation mark in the header",
        summary="a quotation mark stands in the wrong place of the header",
        meaning="The header has a stray quotation mark.",
        remedy=_HEADER,
    ),
    "row-error": UploadError(
        title="The header can't be read",
        summary="the first line of the file can't be read",
        meaning="The header is longer than a record may be.",
        remedy="Check whether the file is CSV at all.",
    ),
    "too-many-rejects": UploadError(
        title="Too many rejected rows",
        summary="too many rows were rejected",
        meaning="More rows were rejected than max_rejects allows, or their rejects take more than "
        "MUSTER_MAX_REJECTS_BYTES: the file was then read no further, and the counts end there.",
        remedy="Correct the rejected rows in your file and send all of it again, or allow more of "
        "them.",
        see="`max_rejects=` allows more; `links.rejects` has those that were kept.",
    ),
    "expectation": UploadError(
        title="Not what was expected",
        summary="the file does not do what was expected of it",
        meaning="Another number of rows was read than expect_rows says, or more would have been "
        "inserted or updated than max_inserted or max_updated allows.",
        remedy="Check whether it is the right file. If it is, allow what it does, and send it "
        "again.",
        see="`expect_rows=`, `max_inserted=` and `max_updated=` allow it; `MUSTER_EXPECTATIONS` "
        "has the limits of uploads without their own.",
    ),
    "too-slow": UploadError(
        title="The load took too long",
        summary="it took too long",
        meaning="Its load has worked for MUSTER_LOAD_SECONDS, restarts of the loader not deducted, "
        "or the database ended its statements ten times; the counts end there.",
        remedy="Cut the file into several and send those. If it is not large, tell the operators.",
        see="[A load that takes too long](troubleshooting.md#a-load-that-takes-too-long).",
    ),
    "too-many-attempts": UploadError(
        title="The file ended its loader",
        summary="the file could not be loaded, though it was tried three times",
        meaning="Loading the file ended the loader's process three times.",
        remedy=_OPERATORS,
        see="[A poison file](troubleshooting.md#a-poison-file).",
        for_operators=True,
    ),
    "changed-meanwhile": UploadError(
        title="The table changed meanwhile",
        summary="other uploads kept changing the same rows",
        meaning="With mode=insert, other uploads kept taking its keys.",
        remedy="Send the file again.",
    ),
    "file-erased": UploadError(
        title="The file was erased",
        summary="the file was erased with a row that may stand in it",
        meaning="A row that may stand in the file was erased after the dry run, and the file with "
        "it.",
        remedy="Send a file without that row.",
    ),
    "file-missing": UploadError(
        title="The file is gone",
        summary="Muster no longer has the file",
        meaning="The file is no longer in the store.",
        remedy="Send the file again.",
        see="Operators: was the store [restored](backup.md#restore) without its files?",
    ),
    "file-damaged": UploadError(
        title="The file is damaged",
        summary="Muster's copy of the file is damaged",
        meaning="The file is in the store and parts of it are lost: chunks that are missing or of "
        "another length, a file of another length than was sent, or blocks that its disk can't "
        "read.",
        remedy="Send the file again.",
        see="Operators: [a damaged file](troubleshooting.md#a-damaged-file).",
    ),
    "undo-blocked": UploadError(
        title="Not all of it can be undone",
        summary="not every row can be undone",
        meaning="With mode=all nothing is undone unless every row can be. Later changes touched "
        "some of the rows, or other rows refer to them.",
        remedy="Undo those later changes first, or only what can be undone.",
        see="`mode=possible` does the latter; `links.rejects` has the rows.",
    ),
    "undo-expired": UploadError(
        title="Too old to be undone",
        summary="the upload is too old to be undone",
        meaning="The rows as they were before the upload are kept for MUSTER_UNDO_DAYS, and are "
        "gone.",
        remedy="Send a file with the rows as they should be.",
    ),
    "row-referred": UploadError(
        title="Other rows refer to it",
        summary="other rows refer to it",
        meaning="The row was not erased, because other rows refer to it.",
        remedy="Change or erase those rows first, then erase it again.",
    ),
    "nothing-to-undo": UploadError(
        title="Nothing to undo",
        summary="the upload changed nothing that could be undone",
        meaning="The upload wrote no row, or it was an erasure, which nobody can take back.",
        remedy="Check whether it is the right upload.",
    ),
    "already-undone": UploadError(
        title="Undone before",
        summary="it was undone before",
        meaning="An earlier undo has taken back every row that the upload wrote.",
        remedy="To have the rows again, undo that undo.",
    ),
    "internal-error": UploadError(
        title="A fault in Muster",
        summary="Muster made a mistake",
        meaning="Muster made a mistake; the log has the upload's id.",
        remedy=_OPERATORS,
        for_operators=True,
    ),
}

_OTHER = UploadError(
    title="", summary="the upload failed", meaning="", remedy="Correct the file and send it again."
)


def upload_error(code: str) -> UploadError:
    """What people are told about a failure; of a later version's code, only what always helps."""
    return UPLOAD_ERRORS.get(code, _OTHER)
