"""CSV that a spreadsheet may open: no cell of it is taken for a formula."""

import csv
import io
import re

# https://owasp.org/www-community/attacks/CSV_Injection, after any number of apostrophes: so one can
# be taken off again from each cell that matches, and only from those.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def defused(cell: object) -> object:
    """The cell, after an apostrophe if a spreadsheet would take it for a formula.

    Also if it begins with apostrophes and then as a formula, so that `dbuploader/csvfile` can tell
    the apostrophe that was put there from one of the data.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def defused_csv(content: bytes) -> bytes:
    """The same CSV, in UTF-8, with each cell defused."""
    buffer = io.StringIO()
    lines = csv.reader(io.StringIO(content.decode(), newline=""))
    csv.writer(buffer).writerows([defused(cell) for cell in line] for line in lines)
    return buffer.getvalue().encode()
