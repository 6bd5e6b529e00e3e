"""What people are told about an upload, by email and on the page: plain words, exactly true."""

import re
from collections.abc import Mapping, Sequence

from muster.contracts.error_codes import upload_error
from muster.contracts.tables import Table, tables
from muster.contracts.uploads import Failure, RowCounts, State, UndoCounts, Upload

# A cell in quotes, which stays as it is, or else a name where it can be nothing but a column's or
# a table's.
_NAMED = re.compile(
    r'"[^"]*"|^[a-z0-9_]+(?= ")|(?<=: )[a-z0-9_]+(?= is required$)'
    r"|(?<=the same )[a-z0-9_]+(?= with other values)|[a-z0-9]+_[a-z0-9_]+"
)
PHRASES: Sequence[tuple[str, str]] = (
    ("upload with dates=dmy or dates=mdy", "upload it again and say under Options which is first"),
    ("upload with mode=upsert", "upload it again and say under Options that it replaces the other"),
    ("send it again without encoding=", "send it again, and name no encoding under Options"),
    ("send header=absent", "say under Options that the first line is a row"),
    (", by columns=LABEL:COLUMN,LABEL:COLUMN", ", in the preview of the file"),
    ("if columns= gives them no column: columns=.*:$", "if you skip them in the preview."),
    ("delimiter= names another", "another can be named under Options"),
    (r"\(dates=[a-z]+: ", "("),
    (r" \((?:[a-z]+_[a-z]+|MUSTER_[A-Z_]+|change \d+)\)", ""),
    (r" Nothing was (?:loaded|undone)\.$", ""),
    (r"^Change \d+ has taken back", "An undo has taken back"),
)
"""What messages say to those who call the API, as patterns, and what people read in its place.

A failure's last sentence is the first that people read. The page's scripts take the same patterns.
"""

FAILURES_OF_UNDOS = frozenset({"undo-blocked", "undo-expired", "nothing-to-undo", "already-undone"})
"""The codes that only an undo ends with."""
_UNDO_AGAIN = "Undo it again. If that fails, too, give its id to the operators."


def title_of(upload: Upload) -> str:
    """What people know the upload by: its file, or what it does where it has none of its own."""
    match upload.kind:
        case "undo":
            return f"Undo of {upload.filename}"
        case "erasure":
            return f"Erasure: {row_in_table(upload.table, upload.erases)}"
    return upload.filename


def row_in_table(name: str, key: int | str | None) -> str:
    """What people call the row of the table `name` with that key: `Departments, row 7`."""
    table = tables().get(name)
    return f"{table.title if table else name}, row {key}"


def spoken_names(table: Table | None) -> dict[str, str]:
    """What people call the columns of a table, itself and its parents, where messages name them."""
    if table is None:
        return {}
    related = {table.name, *(foreign.parent for foreign in table.foreign_keys)}
    titles = {name: each.title.lower() for name, each in tables().items() if name in related}
    return titles | {name: table.heading(name) for name in table.column_names}


def in_words(message: str, names: Mapping[str, str]) -> str:
    """A message of the loader for people: without options and numbers that programs use.

    `names` is what they call columns and tables. What is quoted of a file stays as it is, and so
    does a name that may be a word.
    """
    for pattern, words in PHRASES:
        message = re.sub(pattern, words, message)
    return _NAMED.sub(lambda found: names.get(found[0], found[0]), message)


def sentence(upload: Upload) -> str:
    """What became of the upload, which is final, in a sentence or two."""
    if upload.undone_by is not None:
        what = "The undo was done" if upload.kind == "undo" else "Your file was loaded"
        return f"{what}, and has been undone since, in whole or in part."
    if upload.kind == "undo":
        return _sentence_of_undo(upload)
    if upload.kind == "erasure":
        return _sentence_of_erasure(upload)
    match upload.state:
        case State.FAILED:
            return f"Nothing was loaded: {_why_failed(upload)}."
        case State.CANCELLED:
            return "Nothing was loaded: the upload was cancelled."
        case State.VALIDATED:
            return f"Nothing was loaded, as this was a dry run: {_would_be(upload.rows)}."
    return _sentence_of_rows(upload.rows)


def counts(upload: Upload) -> list[tuple[str, str]]:
    """What became of the rows, each with its number; the first is the sum of the others."""
    rows, dry_run = upload.tally, upload.state is State.VALIDATED
    if isinstance(rows, UndoCounts):
        numbers = {
            "Rows that it wrote": rows.written,
            "Would be restored" if dry_run else "Restored": rows.restored,
            "Would be removed" if dry_run else "Removed": rows.removed,
            "Kept, changed later": rows.kept,
            "Blocked, others depend on it": rows.blocked,
        }
        return [(name, f"{number:,}") for name, number in numbers.items()]
    numbers = {
        "Rows read": rows.read,
        "Would be inserted" if dry_run else "Inserted": rows.inserted,
        "Would be updated" if dry_run else "Updated": rows.updated,
        "Unchanged, already there": rows.unchanged,
        "Rejected": rows.rejected,
        "Unprocessed": rows.unprocessed,
    }
    return [(name, f"{number:,}") for name, number in numbers.items()]


def undone(upload: Upload) -> str:
    """What became of the rows of an undo: `1,929 rows removed, 12 restored, 3 kept`."""
    return _undone(upload, "")


def _undone(upload: Upload, would: str) -> str:
    rows = upload.undone or UndoCounts()
    numbers = {
        "removed": rows.removed,
        "restored": rows.restored,
        "kept": rows.kept,
        "blocked": rows.blocked,
    }
    found = [(number, name) for name, number in numbers.items() if number] or [(0, "removed")]
    (number, name), *others = found
    return ", ".join(
        [f"{count_rows(number)} {would}{name}", *(f"{n:,} {name}" for n, name in others)]
    )


def is_undone(upload: Upload) -> bool:
    """Whether the undo has taken back a row at least, or, of a dry run, would."""
    rows = upload.undone or UndoCounts()
    return rows.removed + rows.restored > 0


def advice(upload: Upload, failure: Failure) -> str:
    """What to do about the failure; what sends a file again is no advice on an undo."""
    error = upload_error(failure.code)
    is_for_files = upload.kind == "undo" and failure.code not in FAILURES_OF_UNDOS
    return _UNDO_AGAIN if is_for_files and not error.for_operators else error.remedy


def _why_failed(upload: Upload) -> str:
    if upload.error is None:
        return "the upload failed"
    if upload.error.code == "too-many-rejects" and upload.options.max_rejects is not None:
        were = "was" if upload.rows.rejected == 1 else "were"
        most = f"at most {upload.options.max_rejects:,}" if upload.options.max_rejects else "none"
        return f"{count_rows(upload.rows.rejected)} {were} rejected, and {most} may be"
    return upload_error(upload.error.code).summary


def _sentence_of_rows(rows: RowCounts) -> str:
    loaded = rows.inserted + rows.updated
    if not rows.read:
        return "Nothing was loaded: the file has no rows."
    if loaded == rows.read:
        return f"{_all(loaded)} {_were(loaded)} loaded."
    if rows.unchanged == rows.read:
        return f"Nothing changed: {_all(rows.read).lower()} {_were(rows.read)} there already."
    if rows.rejected == rows.read:
        return f"Nothing was loaded: {_all(rows.read).lower()} {_were(rows.read)} rejected."
    rest = _listed({"there already": rows.unchanged, "rejected": rows.rejected})
    if not loaded:
        return f"Nothing was loaded: of {count_rows(rows.read)} {rest}."
    return f"{loaded:,} of {count_rows(rows.read)} {_were(loaded)} loaded; {rest}."


def _would_be(rows: RowCounts) -> str:
    loaded = rows.inserted + rows.updated
    if not rows.read:
        return "the file has no rows"
    every = _all(rows.read).lower()
    if loaded == rows.read:
        return f"{every} would be loaded"
    if rows.unchanged == rows.read:
        return f"{every} {'is' if rows.read == 1 else 'are'} there already"
    if rows.rejected == rows.read:
        return f"{every} would be rejected"
    parts = {"loaded": loaded, "left as they are": rows.unchanged, "rejected": rows.rejected}
    found = [f"{number:,} would be {name}" for name, number in parts.items() if number]
    return f"of {count_rows(rows.read)} {_joined(found)}"


def _all(number: int) -> str:
    return "The only row" if number == 1 else f"All {count_rows(number)}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _listed(parts: Mapping[str, int]) -> str:
    return _joined(
        [f"{number:,} {_were(number)} {name}" for name, number in parts.items() if number]
    )


def _joined(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _sentence_of_undo(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            error = upload.error
            why = "the undo failed" if error is None else upload_error(error.code).summary
            return f"Nothing was undone: {why}."
        case State.CANCELLED:
            return "Nothing was undone: the undo was cancelled."
        case State.VALIDATED:
            return f"Nothing was undone, as this was a dry run: {_undone(upload, 'would be ')}."
    if not is_undone(upload):
        return f"Nothing was undone: {undone(upload)}."
    rows = upload.undone or UndoCounts()
    return f"{'Undone in part' if rows.kept or rows.blocked else 'Undone'}: {undone(upload)}."


def _sentence_of_erasure(upload: Upload) -> str:
    match upload.state:
        case State.FAILED:
            if upload.error is not None and upload.error.code == "row-referred":
                return f"The row was not erased: {upload_error('row-referred').summary}."
            return "The row could not be erased everywhere."
        case State.CANCELLED:
            return "The erasure was cancelled before it was finished."
    return "The row was erased: neither the table nor its history, files and rejected rows hold it."


def count_rows(number: int) -> str:
    """`1 row`, `1,929 rows`."""
    return "1 row" if number == 1 else f"{number:,} rows"
