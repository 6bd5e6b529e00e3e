"""Rejected rows mended in place: the rows to show, and the file that the changed ones make."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from muster.contracts.rejects import Reject, read_rejects


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


def mended_rows(page: RejectsPage, cells: Mapping[tuple[int, int], str]) -> list[tuple[str, ...]]:
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


def as_file(labels: tuple[str, ...], rows: list[tuple[str, ...]]) -> bytes:
    """The rows under their labels, as RFC 4180 has it, in UTF-8.

    With `_line` it is a reject file, in which nothing inside a cell is taken for a row.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow((*labels, "_line"))
    writer.writerows(rows)
    return buffer.getvalue().encode()
