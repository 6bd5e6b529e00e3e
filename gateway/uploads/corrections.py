"""Rejected rows corrected in place: the rows to show, and the upload that the changed ones make."""

import csv
import io
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO

from gateway.uploads.accept import Submission
from gateway.uploads.filenames import inflated_name
from gateway.uploads.request_body import RequestBody
from muster.contracts.rejects import Reject, read_rejects
from muster.contracts.tables import Table
from muster.contracts.uploads import Upload
from muster.http.tokens import Principal

_NARROWEST, _WIDEST = 5, 24


@dataclass(frozen=True)
class RejectsPage:
    """Some of the rejected rows of an upload, the first of them the `first`th, from 0."""

    labels: tuple[str, ...]
    rejects: list[Reject]
    first: int
    more: bool

    @property
    def widths(self) -> list[int]:
        """Of each column, how many characters a field should show."""
        cells = [reject.cells for reject in self.rejects if reject.cells]
        return [
            min(max(_NARROWEST, len(label), *(len(row[place]) for row in cells)), _WIDEST)
            for place, label in enumerate(self.labels)
        ]

    @property
    def has_reasons(self) -> bool:
        """Whether an error is of a whole row, and not of one of its cells."""
        errors = [error for reject in self.rejects for error in reject.errors]
        return any(error.column not in self.labels for error in errors)


@dataclass(frozen=True)
class CauseGroup:
    """Rejected rows of one cause: the code of their first error, and the column that it is in.

    `text` is what the cells of the column hold, "" if they are blank; None where they differ.
    """

    code: str
    column: str | None
    text: str | None
    rejects: list[Reject] = field(default_factory=list)


def read_page(stored: BinaryIO | None, first: int, count: int, size: int) -> RejectsPage:
    """At most `count` rejects from the `first`th on, and no more after `size` characters of them.

    Closes `stored`, which is None without any.
    """
    if stored is None:
        return RejectsPage((), [], 0, more=False)
    with stored:
        lines: Iterator[bytes] = iter(stored)
        header, rejects = read_rejects(lines)
        for _ in islice(lines, first):
            pass
        found: list[Reject] = []
        left = size
        for reject in rejects:
            if len(found) == count or left < 0:
                return RejectsPage(header.labels, found, first, more=True)
            found.append(reject)
            left -= sum(map(len, reject.cells or (reject.raw or "",)))
    return RejectsPage(header.labels, found, first, more=False)


def group_by_cause(page: RejectsPage, table: Table | None) -> list[CauseGroup]:
    """The rejects of the page by their causes, in the order of the first of each.

    Cells of a foreign key that hold the same are a cause of their own: one value may be right for
    all of them.
    """
    keys = {foreign.column for foreign in table.foreign_keys} if table else set()
    texts = [_text_of_cause(page, reject) for reject in page.rejects]
    shared = Counter(zip((each.errors[0].column for each in page.rejects), texts, strict=True))
    groups: dict[tuple[str, str | None, str | None], CauseGroup] = {}
    for reject, text in zip(page.rejects, texts, strict=True):
        cause = reject.errors[0]
        may_share = cause.column in keys and shared[cause.column, text] > 1
        common = text if may_share or text == "" else None
        group = CauseGroup(cause.code, cause.column, common)
        groups.setdefault((cause.code, cause.column, common), group).rejects.append(reject)
    return list(groups.values())


def _text_of_cause(page: RejectsPage, reject: Reject) -> str | None:
    column = reject.errors[0].column
    if reject.cells is None or column not in page.labels:
        return None
    return reject.cells[page.labels.index(column)].strip()


def corrected_rows(
    page: RejectsPage, cells: Mapping[tuple[int, int], str], again: Container[int] = ()
) -> list[tuple[str, ...]]:
    """The rows of the page in which a cell has another text now, each with its line and its code.

    `cells` are the texts by the line of the row and the index of the column. Rows of the lines
    `again` are sent though nothing in them was changed; unless it is one of them, a row whose key
    was taken says so, and never replaces the one that has it.
    """
    rows = []
    for reject in page.rejects:
        before = reject.cells or ("",) * len(page.labels)
        after = tuple(cells.get((reject.line, column), text) for column, text in enumerate(before))
        if after != before or reject.line in again:
            taken = reject.errors[0].code == "primary-key" and reject.line not in again
            rows.append((*after, str(reject.line), "primary-key" if taken else ""))
    return rows


def submission_of(owner: Principal, upload: Upload, content: bytes, limit: int) -> Submission:
    """Corrected rows of `upload` as an upload of their own; `content` is what `as_file` makes.

    It may have `limit` bytes.
    """
    stem = PurePosixPath(inflated_name(upload.filename)).stem.removesuffix(".corrections")
    body = RequestBody(
        stream=io.BytesIO(content),
        media_type="text/csv",
        parameters={},
        coding="identity",
        length=len(content),
        limit=limit,
    )
    as_written = replace(
        upload.options, header="present", delimiter=",", encoding="utf-8", columns=""
    )
    # What is expected of the whole file is not of some of its rows.
    options = replace(as_written, expect_rows=None, max_inserted=None, max_updated=None)
    return Submission(
        owner,
        body,
        options,
        upload.table,
        f"{stem[:200]}.corrections.csv",
        previous=upload.id,
    )


def as_file(labels: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> bytes:
    """The rows of `corrected_rows` under their labels: CSV per RFC 4180, in UTF-8.

    The label `_line` makes it a reject file, in which nothing inside a cell is taken for a row.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow((*labels, "_line", "_code"))
    writer.writerows(rows)
    return buffer.getvalue().encode()
