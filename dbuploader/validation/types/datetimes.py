"""Dates with times: RFC 3339, and what else can be read in one way only.

Day and month in another order than year, month, day are read only as the uploader says.
"""

import re
from calendar import month_name, monthrange
from datetime import MINYEAR, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.arrow import plain_datetime
from dbuploader.csvfile.model import shown
from dbuploader.validation.types.cells import CellChecker, CellProblem, valid_where
from muster.contracts.tables import DatetimeColumn
from muster.contracts.uploads import DateOrder

_ZONE = r"(?: ?(?:[Zz]|UTC|(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?))?"
_SECOND = r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]++))?)?"
_TIME = rf"(?P<hour>[0-9]{{2}}):(?P<minute>[0-9]{{2}}){_SECOND}(?P<half>){_ZONE}"
_CLOCK = (
    rf"(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}}){_SECOND}(?: ?(?P<half>[AaPp][Mm]))?{_ZONE}"
)
_MONTH, _DAY = "(?P<month>[0-9]{1,2})", "(?P<day>[0-9]{1,2})"
_YEAR = "(?P<year>[0-9]{4})"
_YEAR_FIRST = re.compile(rf"{_YEAR}(?P<between>[-/]){_MONTH}(?P=between){_DAY}(?:[Tt ]{_TIME})?")
_ORDERED = {
    order: re.compile(rf"{first}(?P<between>[-/.]){second}(?P=between){_YEAR}(?:[Tt ]{_CLOCK})?")
    for order, first, second in (("dmy", _DAY, _MONTH), ("mdy", _MONTH, _DAY))
}
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}(?:[Tt ].*)?")
_FIRST = {"dmy": "the day stands first", "mdy": "the month stands first"}
_MOST_DIGITS = 6

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

# In the syntax of RE2: what is written in another form, and what it is as the regular ones are.
_DATE_ALONE = (r"^([0-9]{4}-[0-9]{2}-[0-9]{2})$", r"\1 00:00:00")
_NO_SECONDS = (r"^(.{10}[T ][0-9]{2}:[0-9]{2})(?: ?(?:Z|UTC))?$", r"\1:00")
_ZEROS = (r"^(.{10}[T ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.0+)?(?: ?(?:Z|UTC))?$", r"\1")
_FORMS = (_DATE_ALONE, _NO_SECONDS, _ZEROS)
_SLASHES = ((r"^([0-9]{4})/([0-9]{2})/([0-9]{2})", r"\1-\2-\3"),)
_YEAR_LAST = {
    order: tuple(
        (rf"^([0-9]{{2}}){between}([0-9]{{2}}){between}([0-9]{{4}})", iso)
        for between in ("/", r"\.", "-")
    )
    for order, iso in (("dmy", r"\3-\2-\1"), ("mdy", r"\3-\1-\2"))
}


class _NotRead(Exception):
    """Why a text is not a datetime; the message continues a sentence that begins with it."""


class DatetimeChecker(CellChecker):
    """Checks the cells of a datetime column; its values are in UTC, without tzinfo.

    `dates` says in which order day and month stand where the year comes last.
    """

    def __init__(self, column: DatetimeColumn, dates: DateOrder = "iso") -> None:
        super().__init__(column)
        self._dates = dates
        self._minimum, self._maximum = column.minimum, column.maximum

    def _parse(self, text: str) -> datetime:
        try:
            value = _instant(text, self._dates)
        except _NotRead as error:
            raise CellProblem("type-error", f"{shown(text)} {error}") from None
        except OverflowError:
            value = None
        if value is not None and self._minimum <= value <= self._maximum:
            return value
        message = (
            f"{shown(text)} is out of range: write a date from {self._minimum.isoformat()}Z "
            f"to {self._maximum.isoformat()}Z"
        )
        raise CellProblem("constraint-error", message)

    def usual(self, texts: pa.StringArray) -> pa.StringArray:
        """In order, and with all of the time of day."""
        for form, iso in (*_SLASHES, *_YEAR_LAST.get(self._dates, ()), *_FORMS):
            texts = pc.replace_substring_regex(texts, form, iso)
        return texts

    def parse_column(self, texts: pa.StringArray) -> pa.StringArray:
        """To the second, in UTC, in capitals: 2021-11-07T02:48:42Z, 2021-11-07 02:48:42."""
        texts = valid_where(pc.match_substring_regex(texts, _CANONICAL), texts)
        values = pc.binary_replace_slice(texts, 10, 11, " ")
        values = pc.binary_replace_slice(values, 19, 20, ".000000")
        inside = pc.and_(
            pc.greater_equal(values, plain_datetime(self._minimum)),
            pc.less_equal(values, plain_datetime(self._maximum)),
        )
        return valid_where(pc.fill_null(inside, False), values)


def _instant(text: str, dates: DateOrder) -> datetime:
    """The moment `text` says, in UTC without tzinfo.

    Raises _NotRead, which says what part of it is wrong, and OverflowError when datetime cannot
    hold it.
    """
    match = _YEAR_FIRST.fullmatch(text)
    if match is None and dates != "iso":
        match = _ORDERED[dates].fullmatch(text)
    if match is None:
        raise _NotRead(_unread(text))
    try:
        return _moment(match)
    except _NotRead as error:
        if match.re is _YEAR_FIRST:
            raise
        raise _NotRead(f"{error} (dates={dates}: {_FIRST[dates]})") from None


def _moment(match: re.Match[str]) -> datetime:
    year, month, day = map(int, match.group("year", "month", "day"))
    if year < MINYEAR:
        raise OverflowError(match.string)
    try:
        if match["hour"] is None:
            return datetime(year, month, day)
        minute, second = int(match["minute"]), int(match["second"] or 0)
        local = datetime(year, month, day, _hour(match), minute, second, _microsecond(match))
    except ValueError:
        raise _NotRead(_wrong_part(match)) from None
    return local if match["sign"] is None else _in_utc(local, match)


def _wrong_part(match: re.Match[str]) -> str:
    year, month, day = map(int, match.group("year", "month", "day"))
    if not 1 <= month <= 12:
        return f"is no real date: there is no month {month}"
    if not 1 <= day <= monthrange(year, month)[1]:
        return f"is no real date: {month_name[month]} {year} has no day {day}"
    if int(match["minute"]) > 59:
        return f"is no real time of day: there is no minute {int(match['minute'])}"
    return f"is no real time of day: there is no second {int(match['second'])}"


def _hour(match: re.Match[str]) -> int:
    hour, half = int(match["hour"]), (match["half"] or "").upper()
    if not half:
        if hour > 23:
            raise _NotRead(f"is no real time of day: there is no hour {hour}")
        return hour
    if not 1 <= hour <= 12:
        raise _NotRead(f"is no real time of day: there is no hour {hour} {half}")
    return hour % 12 + (12 if half == "PM" else 0)


def _microsecond(match: re.Match[str]) -> int:
    fraction = match["fraction"] or ""
    if fraction[_MOST_DIGITS:].strip("0"):
        raise _NotRead(
            f"is too exact: after {_MOST_DIGITS} digits of a fraction of a second there may be "
            "zeros only"
        )
    return int(fraction[:_MOST_DIGITS].ljust(_MOST_DIGITS, "0"))


def _in_utc(local: datetime, match: re.Match[str]) -> datetime:
    sign, hours, minutes = match["sign"], int(match["hours"]), int(match["minutes"] or 0)
    if hours > 23 or minutes > 59:
        raise _NotRead(f"has no real offset from UTC: there is no {sign}{hours:02}:{minutes:02}")
    offset = timedelta(hours=hours, minutes=minutes)
    return local + offset if sign == "-" else local - offset


def _unread(text: str) -> str:
    """What keeps a text from being read that has none of the forms."""
    if any(form.fullmatch(text) for form in _ORDERED.values()):
        return (
            "does not say which is the day and which the month: write it as 2021-11-07T02:48:42Z, "
            "or upload with dates=dmy or dates=mdy"
        )
    if _SHORT_YEAR.fullmatch(text):
        return "has a year of two digits: write four, as in 2021-11-07T02:48:42Z"
    return "is not a date with a time of day: write it as 2021-11-07T02:48:42Z"
