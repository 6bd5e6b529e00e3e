"""The reject file: rejected rows as the uploader gets them back, to be corrected and sent again.

Also what keeps a spreadsheet from taking a cell of it for a formula.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from muster.contracts.rejects import CellError, Reject, RejectsHeader, read_rejects
from muster.contracts.tables import Table
from muster.contracts.upload_document import MayName

_PIECE = 64 * 1024
_REASON = ("_line", "_row", "_code", "_column", "_message")
# Tells the loader to take the apostrophes off again.
_SPREADSHEET = "_spreadsheet"
# https://owasp.org/www-community/attacks/CSV_Injection, after any number of apostrophes: then one
# can be taken off again from each cell that matches, and only from those.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def _nobody(_upload_id: str) -> bool:
    return False


def as_ndjson(stored: BinaryIO | None, may_name: MayName | None = None) -> Iterator[bytes]:
    """All errors of each row: one object a line, `line`, `row`, `cells`, `raw` and `errors`.

    With `may_name` the errors are about other uploads, and say which.
    Those of a workbook, and their errors, have `cell`, too: where in which sheet.
    """
    if stored is None:
        return
    with stored:
        begin = stored.readline()
        header, _ = read_rejects([begin])
        if may_name is None and header.sheet is None:
            while piece := stored.read(_PIECE):
                yield piece
            return
        for line in stored:
            reject = Reject.from_json(line)
            if may_name is not None:
                errors = tuple(
                    CellError(error.code, error.column, _told(error, may_name))
                    for error in reject.errors
                )
                reject = replace(reject, errors=errors)
            yield _with_cells(reject, header)


def _with_cells(reject: Reject, header: RejectsHeader) -> bytes:
    text = reject.to_json()
    if header.sheet is not None:
        fields = json.loads(text)
        cells = [header.cell_of(reject.line, error) for error in reject.errors]
        for error, cell in zip(fields["errors"], cells, strict=True):
            error["cell"] = cell
        text = json.dumps(fields | {"cell": cells[0]}, ensure_ascii=False)
    return f"{text}\n".encode()


def as_csv(
    stored: BinaryIO | None,
    table: Table,
    *,
    spreadsheet_safe: bool,
    may_name: MayName = _nobody,
) -> Iterator[bytes]:
    """The original cells and why each row was rejected: CSV per RFC 4180, in UTF-8.

    With `spreadsheet_safe`, cells that a spreadsheet would take for a formula begin with an
    apostrophe, and a last column says so. If nothing was stored there is only the header.
    """
    if stored is None:
        header = RejectsHeader(table.column_names, raw=False)
        lines = _lines(header, (), may_name)
        yield from _written(_made_safe(lines) if spreadsheet_safe else lines)
        return
    with stored:
        lines = _lines(*read_rejects(stored), may_name)
        yield from _written(_made_safe(lines) if spreadsheet_safe else lines)


def _lines(
    header: RejectsHeader, rejects: Iterable[Reject], may_name: MayName
) -> Iterator[Sequence[object]]:
    raw_label = ("_raw",) if header.raw else ()
    yield (*header.labels, *_REASON, *raw_label)
    blanks = ("",) * len(header.labels)
    for reject in rejects:
        cause = reject.errors[0]
        more = len(reject.errors) - 1
        told = _told(cause, may_name)
        message = f"{told} (and {more} more)" if more else told
        if cell := header.cell_of(reject.line, cause):
            message = f"{cell}: {message}"
        # Rows of an undo stand on no line of a file.
        reason = (reject.line or "", reject.row, cause.code, cause.column or "", message)
        raw = (reject.raw or "",) if header.raw else ()
        yield (*(blanks if reject.cells is None else reject.cells), *reason, *raw)


def _told(error: CellError, may_name: MayName) -> str:
    """The message, with the upload that it is about if the reader may be told of it."""
    if error.upload is None:
        return error.message
    which = f"upload {error.upload}" if may_name(error.upload) else "another user's upload"
    return f"{error.message}: {which}"


def _made_safe(lines: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    for number, line in enumerate(lines):
        yield (*map(defused, line), "safe" if number else _SPREADSHEET)


def _written(lines: Iterable[Sequence[object]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for line in lines:
        writer.writerow(line)
        if buffer.tell() >= _PIECE:
            yield _taken_from(buffer)
    yield _taken_from(buffer)


def _taken_from(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def defused(cell: object) -> object:
    """The cell, after an apostrophe if a spreadsheet would take it for a formula.

    Also if apostrophes precede what looks like a formula, so that `dbuploader/csvfile` can tell the
    added apostrophe from those in the data.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def defused_csv(content: bytes) -> bytes:
    """The same CSV, in UTF-8, with each cell defused."""
    return b"".join(defused_parts([content]))


def defused_parts(parts: Iterable[bytes]) -> Iterator[bytes]:
    """As `defused_csv`, of CSV that comes in parts, cut anywhere."""
    for line in csv.reader(_lines_of(parts)):
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerow([defused(cell) for cell in line])
        yield buffer.getvalue().encode()


def _lines_of(parts: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield f"{line.decode()}\n"
    if rest:
        yield rest.decode()
