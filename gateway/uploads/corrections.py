"""Rejected rows corrected in place: the rows to show, and the upload that the changed ones make."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO

from gateway.uploads.accept import Submission
from gateway.uploads.filenames import inflated_name
from gateway.uploads.request_body import RequestBody
from muster.contracts.rejects import Reject, read_rejects
from muster.contracts.uploads import Upload
from muster.http.tokens import Principal


@dataclass(frozen=True)
class RejectsPage:
    """Some of the rejected rows of an upload, the first of them the `first`th, from 0."""

    labels: tuple[str, ...]
    rejects: list[Reject]
    first: int
    more: bool


def read_page(stored: BinaryIO | None, first: int, count: int) -> RejectsPage:
    """At most `count` rejects from the `first`th on; closes `stored`, which is None without any."""
    if stored is None:
        return RejectsPage((), [], 0, more=False)
    with stored:
        lines: Iterator[bytes] = iter(stored)
        header, rejects = read_rejects(lines)
        for _ in islice(lines, first):
            pass
        found = list(islice(rejects, count + 1))
    return RejectsPage(header.labels, found[:count], first, more=len(found) > count)


def corrected_rows(
    page: RejectsPage, cells: Mapping[tuple[int, int], str]
) -> list[tuple[str, ...]]:
    """The rows of the page in which a cell has another text now, each with its line at the end.

    `cells` are the texts by the line of the row and the index of the column.
    """
    rows = []
    for reject in page.rejects:
        before = reject.cells or ("",) * len(page.labels)
        after = tuple(cells.get((reject.line, column), text) for column, text in enumerate(before))
        if after != before:
            rows.append((*after, str(reject.line)))
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


def as_file(labels: tuple[str, ...], rows: list[tuple[str, ...]]) -> bytes:
    """The rows under their labels: CSV per RFC 4180, in UTF-8.

    The label `_line` makes it a reject file, in which nothing inside a cell is taken for a row.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow((*labels, "_line"))
    writer.writerows(rows)
    return buffer.getvalue().encode()
