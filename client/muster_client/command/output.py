"""What the command writes: results to standard output, everything else to standard error.

On a terminal results are tables, and a bar shows the progress. In a pipe they are plain lines
without colour, with tabs between cells. With `--json` each result is one line of JSON.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import click

from muster_client.models import Document, Upload


class Bar(Protocol):
    """Shows how far an upload is."""

    def sent(self, count: int) -> None:
        """So many bytes have been sent."""

    def stands(self, upload: Upload) -> None:
        """The upload is on its way through the suite."""


class Output:
    """How results are written: as JSON, or for whoever reads standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, result: Document, line: str) -> None:
        """One result: the line that says it, or the whole as JSON."""
        click.echo(_json(result.document) if self.as_json else line)

    def show_all(self, results: Sequence[Document], columns: Sequence[str]) -> None:
        """Several results, in columns of those names."""
        if self.as_json:
            for each in results:
                click.echo(_json(each.document))
            return
        rows = [[_cell(getattr(each, name)) for name in columns] for each in results]
        show_table(columns, rows)

    def note(self, text: str) -> None:
        """What is not a result."""
        click.echo(text, err=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows in aligned columns under their names on a terminal, else without names, by tabs."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.replace("_", " ")), overflow="fold")
    for row in rows:
        # What a suite answers is no markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


@contextmanager
def bar_of(filename: str, size: int) -> Iterator[Bar]:
    """A bar for a file that is sent, on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield _NoBar()
        return
    # Only now: it takes a tenth of a second to import.
    from muster_client.command.progress import RichBar

    with RichBar(filename, size) as bar:
        yield bar


class _NoBar:
    def sent(self, count: int) -> None:
        """Nothing is shown."""

    def stands(self, upload: Upload) -> None:
        """Nothing is shown."""


def upload_line(upload: Upload) -> str:
    """What became of an upload, in one line."""
    counts = ", ".join(f"{count} {name}" for name, count in upload.rows.items() if count)
    what = upload.filename if upload.kind == "upload" else f"{upload.kind} of {upload.filename}"
    line = f"{upload.id}  {what}: {upload.state}"
    if upload.error is not None:
        return f"{line}: {upload.error.code}: {upload.error.detail}"
    return f"{line}: {counts}" if upload.is_final and counts else line


def cause_lines(upload: Upload) -> list[str]:
    """Why rows were left out, a line for each cause."""
    return [
        f"  {cause.rows} {cause.code}: {cause.message} (first in line {cause.first_line})"
        for cause in upload.causes
    ]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {name}" for name, count in value.items() if count)
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(map(str, value))
    return str(value)


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
