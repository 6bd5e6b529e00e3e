"""Dates with times: RFC 3339, with a space allowed for the `T` and UTC where no offset stands."""

import re
from datetime import MINYEAR, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.checking.cells import CellChecker, CellProblem, valid_where
from dbuploader.columns import plain_datetime
from dbuploader.csvfile.labels import shown
from muster.tables import Column

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,6}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)
# Each real date of the calendar; a day more in years that 4 divides and 100 does not, or 400 does.
_DAYS = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
    r"02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_LEAP_YEARS = r"[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00"
_CANONICAL = (
    rf"^(?:[0-9]{{4}}-(?:{_DAYS})|(?:{_LEAP_YEARS})-02-29)[T ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z?$"
)


class DatetimeChecker(CellChecker):
    """Checks the cells of a datetime column; its values are in UTC, without tzinfo."""

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self._minimum = datetime.min if column.minimum is None else _instant(str(column.minimum))
        self._maximum = datetime.max if column.maximum is None else _instant(str(column.maximum))

    def _parse(self, text: str) -> datetime:
        try:
            value = _instant(text)
        except ValueError:
            message = (
                f"{shown(text)} is not a date with a time of day: write it as 2021-11-07T02:48:42Z"
            )
            raise CellProblem("type-error", message) from None
        except OverflowError:
            value = None
        if value is not None and self._minimum <= value <= self._maximum:
            return value
        message = (
            f"{shown(text)} is out of range: write a date from {self._minimum.isoformat()}Z "
            f"to {self._maximum.isoformat()}Z"
        )
        raise CellProblem("constraint-error", message)

    def canonical(self, texts: pa.StringArray) -> pa.StringArray:
        """To the second, in UTC, in capitals: 2021-11-07T02:48:42Z, 2021-11-07 02:48:42."""
        texts = valid_where(pc.match_substring_regex(texts, _CANONICAL), texts)
        values = pc.binary_replace_slice(texts, 10, 11, " ")
        values = pc.binary_replace_slice(values, 19, 20, ".000000")
        inside = pc.and_(
            pc.greater_equal(values, plain_datetime(self._minimum)),
            pc.less_equal(values, plain_datetime(self._maximum)),
        )
        return valid_where(pc.fill_null(inside, False), values)


def _instant(text: str) -> datetime:
    """The moment `text` says, in UTC without tzinfo.

    Raises ValueError when it is not an RFC 3339 timestamp or not a real date, and OverflowError
    when datetime cannot hold it.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, hours, minutes = match.group(7, 8, 9, 10)
    if year < MINYEAR:
        raise OverflowError(text)
    microsecond = int((fraction or "").ljust(6, "0"))
    local = datetime(year, month, day, hour, minute, second, microsecond)
    if sign is None:
        return local
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(text)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return local + offset if sign == "-" else local - offset
