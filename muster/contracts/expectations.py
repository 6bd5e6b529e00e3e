"""What a file is expected to do to its table, and whether it does no more than that.

A load that does not keep to it ends before its COMMIT: a file of another table or period, or of
ids that were given anew, is noticed before it has overwritten anything.
"""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator

from muster.contracts.uploads import Options, RowCounts
from muster.contracts.wording import count_rows

_LIMIT = re.compile(r"([0-9]{1,10})|([0-9]{1,3}(?:\.[0-9]{1,4})?)%", re.ASCII)


def check_limit(text: str) -> str:
    """The limit as it is written: a number of rows, or a share of the rows read, `5%` or `0.5%`.

    Raises ValueError.
    """
    found = _LIMIT.fullmatch(text)
    if found is None or (found[2] is not None and Fraction(found[2]) > 100):
        raise ValueError("write a number of rows, as in 500, or a share of the rows read, as in 5%")
    return text


RowLimit = Annotated[str, AfterValidator(check_limit)]
"""A limit as `check_limit` takes it."""


def unmet(options: Options, rows: RowCounts) -> list[str]:
    """Which expectations of the upload its rows don't meet, as they would be loaded: a clause each.

    Shares are of the rows read, rejected ones too. Raises ValueError where a limit is none.
    """
    found = []
    if options.expect_rows is not None and rows.read != options.expect_rows:
        were = "was" if rows.read == 1 else "were"
        found.append(
            f"{count_rows(rows.read)} {were} read and {options.expect_rows:,} expected "
            "(expect_rows)"
        )
    for name, limit, number in (
        ("inserted", options.max_inserted, rows.inserted),
        ("updated", options.max_updated, rows.updated),
    ):
        if limit is not None and number > _allowed(limit, rows.read):
            found.append(
                f"{number:,} of {count_rows(rows.read)} would be {name} and at most {limit} may be "
                f"(max_{name})"
            )
    return found


def _allowed(limit: str, read: int) -> Fraction:
    """The most rows that the limit allows of so many; exact, as a float is not."""
    number = check_limit(limit)
    if number.endswith("%"):
        return Fraction(number[:-1]) * read / 100
    return Fraction(number)
