"""Warnings about texts that obey their column's rules, yet look as if the file was misread.

They are loaded as they came; the warnings are for the uploader.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from dbuploader.csvfile.model import shown
from muster.contracts.encodings import EAST_ASIAN, SINGLE_BYTE, find_codec
from muster.contracts.tables import Table
from muster.contracts.uploads import MOST_WARNINGS, UploadWarning

# What most programs that misread UTF-8 took it for, before they wrote it as UTF-8 again.
_TAKEN_FOR = "cp1252"
_SINGLE_BYTE = frozenset(map(find_codec, SINGLE_BYTE))
_EAST_ASIAN = frozenset(map(find_codec, EAST_ASIAN))
_LEADS, _CONTINUATIONS = bytes(range(0xC2, 0xF5)), bytes(range(0x80, 0xC0))
# Where no pattern gives a misreading away, decoding is tried; if one text is misread, most are.
_MOST_ATTEMPTS = 1000


@dataclass(frozen=True)
class CellWarnings:
    """How many warnings there are, and the first of each kind."""

    total: int = 0
    first: tuple[UploadWarning, ...] = ()


class TextWarnings:
    """Inspects the string columns of a file that was in `codec`."""

    def __init__(self, table: Table, codec: str) -> None:
        self._columns = [column.name for column in table.columns if column.type == "string"]
        self._misreading = Misreading(codec)

    def find(self, lines: pa.Int64Array, rows: pa.RecordBatch) -> CellWarnings:
        """What is odd about good rows, which begin on the physical `lines`."""
        total, first = 0, list[UploadWarning]()
        for name in self._columns:
            texts = rows.column(name)
            quoted = _in_apostrophes(texts)
            total += quoted.true_count
            some = zip(
                lines.filter(quoted)[:MOST_WARNINGS].to_pylist(),
                texts.filter(quoted)[:MOST_WARNINGS].to_pylist(),
                strict=True,
            )
            first += [_apostrophes(line, name, text) for line, text in some]
            misread = [
                self._misreading.warning(line, name, text, meant)
                for line, text, meant in self._misreading.find(lines, texts)
            ]
            total += len(misread)
            first += misread[:MOST_WARNINGS]
        return CellWarnings(total, tuple(sorted(first, key=attrgetter("line"))))


class Misreading:
    """Finds texts that were UTF-8 and were read as `codec`, or as another before they came here."""

    def __init__(self, codec: str) -> None:
        self._named = codec in _SINGLE_BYTE | _EAST_ASIAN
        self._codec = codec if self._named else _TAKEN_FOR
        self._trace = None if self._codec in _EAST_ASIAN else _trace(self._codec)

    def find(self, lines: pa.Int64Array, texts: pa.StringArray) -> Iterator[tuple[int, str, str]]:
        """The line of each such text, the text, and what it was meant to be."""
        if self._trace == "":
            return
        foreign = pc.invert(pc.string_is_ascii(texts))
        if not foreign.true_count:
            return
        lines, texts = lines.filter(foreign), texts.filter(foreign)
        if self._trace is None:
            lines, texts = lines[:_MOST_ATTEMPTS], texts[:_MOST_ATTEMPTS]
        else:
            likely = pc.match_substring_regex(texts, self._trace)
            lines, texts = lines.filter(likely), texts.filter(likely)
        for line, text in zip(lines.to_pylist(), texts.to_pylist(), strict=True):
            try:
                yield line, text, text.encode(self._codec).decode()
            except UnicodeError:
                continue

    def warning(self, line: int, column: str, text: str, meant: str) -> UploadWarning:
        """The warning about such a text."""
        why = (
            f"if the file is in UTF-8 and not in {self._codec}: send it again without encoding="
            if self._named
            else "that was taken for windows-1252 before: save the file again from its source"
        )
        message = f"{column} {shown(text)} looks like {shown(meant)} {why}"
        return UploadWarning("misread-text", line, message)


@lru_cache
def _trace(codec: str) -> str:
    """In the syntax of RE2, what characters of more than a byte in UTF-8 look like in `codec`."""
    leads, continuations = (each.decode(codec, "ignore") for each in (_LEADS, _CONTINUATIONS))
    if not leads or not continuations:
        return ""
    return f"[{_class(leads)}][{_class(continuations)}]"


def _class(characters: str) -> str:
    return "".join(rf"\x{{{ord(each):x}}}" for each in characters)


def _in_apostrophes(texts: pa.StringArray) -> pa.BooleanArray:
    beginning = pc.starts_with(texts, "'")
    if not beginning.true_count:
        return beginning
    return pc.match_substring_regex(texts, "^'.*'$")


def _apostrophes(line: int, column: str, text: str) -> UploadWarning:
    message = (
        f"{column} {shown(text)} keeps its apostrophes: where they quote the cell, write a double "
        'quote (") in place of each'
    )
    return UploadWarning("apostrophes", line, message)
