"""Rejected rows as the loader stores them and the gateway hands them back: NDJSON, one a line.

Codes are those of Frictionless (https://framework.frictionlessdata.io/docs/errors/) plus
`quote-error` and `encoding-error`.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from muster.weather import FileDamaged

# Made once: json.dumps makes an encoder for each call that has options, and there may be millions.
# It writes a text by itself three times as fast as an object: that makes an encoder, too.
_write = json.JSONEncoder(ensure_ascii=False).encode

# A sheet with any other name is quoted in a reference to its cells: it may look like one itself.
_PLAIN_NAME = re.compile(r"(?!(?:rc?|c)$)[a-z_]+|[a-z_]{4}[a-z0-9_]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong with a row: a code, the column it concerns (None: the whole row), why.

    `upload` is the id of another upload that the message is about: not everybody may be told it.
    """

    code: str
    column: str | None
    message: str
    upload: str | None = None

    def to_json(self) -> str:
        """A JSON object."""
        upload = "" if self.upload is None else f', "upload": {_write(self.upload)}'
        return (
            f'{{"code": {_write(self.code)}, "column": {_write(self.column)}, '
            f'"message": {_write(self.message)}{upload}}}'
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not loaded or, of an undo, not taken back.

    `line` is the physical line, from 1, on which the record begins, 0 of an undo; `row` the
    record's number, from 1, the header not counted. `cells` are the original texts in the order of
    the input, one for each label (blank where the record had too few), or None where it could not
    be split into them: then `raw` is its text.
    `errors` holds at least one error; the first is the one that counts as the cause.
    """

    line: int
    row: int
    cells: tuple[str, ...] | None
    raw: str | None
    errors: tuple[CellError, ...]

    def to_json(self) -> str:
        """One line of NDJSON, without its newline."""
        cells = "null" if self.cells is None else f"[{', '.join(map(_write, self.cells))}]"
        errors = ", ".join([error.to_json() for error in self.errors])
        return (
            f'{{"line": {self.line}, "row": {self.row}, "cells": {cells}, '
            f'"raw": {_write(self.raw)}, "errors": [{errors}]}}'
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Reject":
        """The reject that `to_json` wrote, of this version or another; raises FileDamaged."""
        try:
            fields = json.loads(text)
            cells, errors = fields["cells"], fields["errors"]
            return cls(
                line=fields["line"],
                row=fields["row"],
                cells=None if cells is None else tuple(cells),
                raw=fields["raw"],
                errors=tuple(
                    CellError(error["code"], error["column"], error["message"], error.get("upload"))
                    for error in errors
                ),
            )
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise FileDamaged(f"a reject can't be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class SheetColumns:
    """Where rows were in a workbook: the name of their sheet, and each label's column there."""

    name: str
    letters: tuple[str, ...]

    def reference(self, line: int, place: int | None) -> str:
        """What a spreadsheet calls the cell of a label, or the whole row: `Sheet1!C67`."""
        name = self.name
        if not _PLAIN_NAME.fullmatch(name):
            name = "'" + name.replace("'", "''") + "'"
        if place is None:
            return f"{name}!{line}:{line}"
        return f"{name}!{self.letters[place]}{line}"


@dataclass(frozen=True, slots=True)
class RejectsHeader:
    """The first line of a stored rejects file.

    `labels` are the input's columns in its order, `raw` says whether any reject has `raw` text,
    `size` how many bytes the lines after this one have; None where an older version wrote it.
    `sheet` says where the lines are in a workbook; None of CSV.
    """

    labels: tuple[str, ...]
    raw: bool
    size: int | None = None
    sheet: SheetColumns | None = None

    def cell_of(self, line: int, error: CellError) -> str | None:
        """The cell of a workbook that has the error, or the row of one of a whole row."""
        if self.sheet is None:
            return None
        column = error.column
        place = self.labels.index(column) if column in self.labels else None
        return self.sheet.reference(line, place)

    def to_json(self) -> str:
        """One line of NDJSON, without its newline."""
        return json.dumps(asdict(self))


def read_rejects(lines: Iterable[bytes]) -> tuple[RejectsHeader, Iterator[Reject]]:
    """The header of a stored rejects file and its rejects, read as they are asked for.

    Raises FileDamaged.
    """
    iterator = iter(lines)
    header = _header_in(next(iterator, b""))
    return header, (Reject.from_json(line) for line in iterator)


def ensure_whole(stored: BinaryIO) -> None:
    """Return if a stored rejects file has the bytes that it should have; raises FileDamaged."""
    header = _header_in(stored.readline())
    begin = stored.tell()
    size = stored.seek(0, io.SEEK_END) - begin
    if header.size not in {None, size}:
        raise FileDamaged(f"{size} bytes of rejects are there, and were {header.size}")
    stored.seek(0)


def _sheet_in(fields: Mapping[str, Any]) -> SheetColumns | None:
    sheet = fields.get("sheet")
    return None if sheet is None else SheetColumns(sheet["name"], tuple(sheet["letters"]))


def _header_in(line: bytes) -> RejectsHeader:
    try:
        fields = json.loads(line)
        return RejectsHeader(
            tuple(fields["labels"]), fields["raw"], fields.get("size"), _sheet_in(fields)
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise FileDamaged(f"the header of rejects can't be read: {error!r}") from error
