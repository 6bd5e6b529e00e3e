"""Tells whoever started a program what goes on: lines on standard error, in colour on a terminal.

Imports the standard library only: `tools/environment.py` uses it before anything is installed.
"""

import os
from enum import Enum
from typing import TextIO

_RESET = "\x1b[0m"
_CLEAR_LINE = "\r\x1b[2K"
_WIDTH = 79


class Style(Enum):
    """How a line looks on a terminal; the value is its SGR sequence (ECMA-48, 8.3.117)."""

    STEP = "\x1b[1m"
    GOOD = "\x1b[1;32m"
    BAD = "\x1b[1;31m"
    ASIDE = "\x1b[2m"


class Terminal:
    """Where lines go: in colour only on a terminal, and not where NO_COLOR is set."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._in_colour = self._is_terminal and not os.environ.get("NO_COLOR")
        self._passing = ""

    def say(self, text: str, style: Style | None = None) -> None:
        """Write a line that stays.

        The colour ends behind the end of the line, so that a program that reads the line finds
        nothing after its last word.
        """
        self._clear()
        in_colour = self._in_colour and style is not None
        line = f"{style.value}{text}\n{_RESET}" if in_colour and style else f"{text}\n"
        self._stream.write(line)
        self._stream.flush()

    def show(self, text: str) -> None:
        """Show a line that the next one replaces; on a terminal only."""
        if self._is_terminal and text != self._passing:
            line = text[:_WIDTH]
            styled = f"{Style.ASIDE.value}{line}{_RESET}" if self._in_colour else line
            self._stream.write(_CLEAR_LINE + styled)
            self._stream.flush()
            self._passing = text

    def _clear(self) -> None:
        if self._passing:
            self._stream.write(_CLEAR_LINE)
            self._passing = ""
