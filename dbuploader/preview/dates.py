"""Dates that are read only once somebody says whether the day or the month stands first."""

from dataclasses import dataclass, field
from datetime import datetime

from dbuploader.preview.model import DateReading, PreviewProblem
from dbuploader.validation.rows import parse_cell
from dbuploader.validation.types.cells import CellProblem
from muster.contracts.tables import DatetimeColumn
from muster.contracts.uploads import DateOrder

_MOST_READINGS = 5


@dataclass
class AmbiguousDates:
    """Those of one column, the most telling with both of their readings."""

    column: DatetimeColumn
    rows: int = 0
    _dmy: int = 0
    _mdy: int = 0
    _differing: list[DateReading] = field(default_factory=list)
    _others: list[DateReading] = field(default_factory=list)

    def take(self, line: int, text: str) -> bool:
        """Whether the text, which is no date by itself, is one in either order."""
        dmy, mdy = self._read(text, "dmy"), self._read(text, "mdy")
        if dmy is None and mdy is None:
            return False
        self.rows += 1
        self._dmy += dmy is not None
        self._mdy += mdy is not None
        some = self._others if dmy is None or mdy is None or dmy == mdy else self._differing
        if len(some) < _MOST_READINGS:
            some.append(DateReading(line, text.strip(), dmy, mdy))
        return True

    def problem(self) -> PreviewProblem:
        """What to decide, with some readings to decide by."""
        readings = [*self._differing, *self._others][:_MOST_READINGS]
        first = min(readings, key=lambda reading: reading.line)
        message = (
            f"{self.rows} of the dates do not say whether the day or the month stands first, such "
            f"as {first.text}: with dates=dmy {self._dmy} of them are read, with dates=mdy "
            f"{self._mdy}, and without either none"
        )
        return PreviewProblem(
            "ambiguous-dates",
            message,
            first.line,
            self.column.name,
            self.rows,
            readings=tuple(sorted(readings, key=lambda reading: reading.line)),
        )

    def _read(self, text: str, order: DateOrder) -> str | None:
        try:
            moment = parse_cell(self.column, text, order)
        except CellProblem:
            return None
        assert isinstance(moment, datetime)  # noqa: S101
        return f"{moment.isoformat()}Z"
