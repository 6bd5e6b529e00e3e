"""The table of errors, as docs/weather.md has it."""

import re
from pathlib import Path
from typing import NamedTuple

_PAGE = Path(__file__).parents[2] / "docs" / "weather.md"
_ROW = re.compile(r"^\| (.+?) \| (\d+)(?: `(\w+)`)? \| (.+?) \| (.+?) \|$", re.MULTILINE)


class Row(NamedTuple):
    """An error: of what, its number and name, what it means, and why in words."""

    of: str
    number: int
    name: str
    means: str
    why: str


WEATHER_TABLE = [
    Row(of, int(number), name, means, why)
    for of, number, name, means, why in _ROW.findall(_PAGE.read_text(encoding="utf-8"))
]
