"""Dates with times: RFC 3339, with a space allowed for the `T` and UTC where no offset stands."""

import re
from collections.abc import Sequence
from datetime import MINYEAR, datetime, timedelta

from dbuploader.checking.cells import CellChecker, CellProblem, shown
from muster.tables import Column

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,6}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)
# The two commonest shapes, by their length, and what turns a timestamp into its shape.
_SHAPES = {19: b"0000-00-00T00:00:00\n", 20: b"0000-00-00T00:00:00Z\n"}
_TO_SHAPE = bytes.maketrans(b"123456789t z", b"000000000TTZ")
_SECONDS = slice(0, 19)


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

    def _parse_plain(self, texts: Sequence[str]) -> list[datetime] | None:
        shape = _SHAPES.get(len(texts[0]))
        lines = "\n".join(texts) + "\n"
        if shape is None or lines.encode().translate(_TO_SHAPE) != shape * len(texts):
            return None
        # From Python 3.14 on, fromisoformat takes 24:00:00 for the midnight that follows.
        if "24:00:00" in lines:
            return None
        try:
            values = [datetime.fromisoformat(text[_SECONDS]) for text in texts]
        except ValueError:
            return None
        return values if self._minimum <= min(values) and max(values) <= self._maximum else None


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
