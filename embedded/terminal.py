"""The terminal of a program that reports its progress: lines, in colour, and passing ones.

Imports the standard library only: `tools/environment.py` uses it before anything is installed.
"""

import os
from contextlib import suppress
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
    """Where lines go: in colour only on a terminal, and not where NO_COLOR is set.

    What can't be written is left out. A stream that the process was not given is None.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.is_terminal = stream is not None and stream.isatty()
        self._is_able = self.is_terminal and os.environ.get("TERM") != "dumb"
        self._in_colour = self._is_able and not os.environ.get("NO_COLOR")
        self._passing = ""

    def say(self, text: str, style: Style | None = None) -> None:
        """Write a line that stays.

        The colour ends behind the end of the line, so that a program that reads the line finds
        nothing after its last word.
        """
        self._clear()
        in_colour = self._in_colour and style is not None
        line = f"{style.value}{text}\n{_RESET}" if in_colour and style else f"{text}\n"
        self._put(line)

    def show(self, text: str) -> None:
        """Show a line that the next one replaces; on a terminal only."""
        if self._is_able and text != self._passing:
            line = text[:_WIDTH]
            styled = f"{Style.ASIDE.value}{line}{_RESET}" if self._in_colour else line
            self._put(_CLEAR_LINE + styled)
            self._passing = text

    def _clear(self) -> None:
        if self._passing:
            self._put(_CLEAR_LINE)
            self._passing = ""

    def _put(self, text: str) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.write(text)
                self._stream.flush()
