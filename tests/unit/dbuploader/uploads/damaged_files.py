"""Files of hires with much that is wrong at once, made at random: no two of a seed are alike."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

LABELS = ("id", "name", "datetime", "department_id", "job_id")
KEYS_A_FILE = 100
_KEYS_IN_IT = 20
# A lone surrogate, which surrogateescape turns into a byte that UTF-8 lacks.
_BAD_BYTE = "\udcff"
_NAMES = (
    *("Ana", "O'Neil", "'Bo'", "'", "''", "'=1+1", "''@x", "=1+1", "+1", "-Cy", "@Di", "'plain"),
    *("Zoë", "a,b", "a;b", "a|b", 'The "One"', '"', "_x", "\u00a0x", "🙂", "JosÃ©", "x" * 255),
)
_INJECTED = "{},Injected,2021-01-01T00:00:00Z,1,1"
_BAD_CELLS: dict[int, tuple[str, ...]] = {
    0: ("abc", "", "0", "1.5", "9999999999", "'7", "=7", "\u00a0", "1_0", "-3", "@"),
    1: ("", " \t", "\u00a0", "\u200b", "A\0na", "x" * 256, f"A{_BAD_BYTE}na", "A\x85na", "\ufeff"),
    2: (
        "",
        "soon",
        "2021-02-30T00:00:00Z",
        "2021-13-01",
        "13/13/2021",
        "2021-07-27 24:00",
        "=2021",
    ),
    3: ("", "9", "Sales", "0", "2.5", "+"),
    4: ("", "8", "Clerk", "-1", "1e3", "-"),
}
_ENDS = ("\n", "\r\n", "\r")


@dataclass
class DamagedFile:
    """A file, and the options that it is sent with.

    `first_key` is the first of KEYS_A_FILE keys that no other file has.
    """

    first_key: int
    content: bytes = b""
    options: dict[str, Any] = field(default_factory=dict)

    def spare(self, half: int) -> range:
        """Half of those keys, 0 or 1, that stand in none of its rows: to correct them with."""
        count = (KEYS_A_FILE - _KEYS_IN_IT) // 2
        first = self.first_key + _KEYS_IN_IT + half * count
        return range(first, first + count)


def damaged_files(seed: int) -> Iterator[DamagedFile]:
    """Files without end."""
    chance = Random(seed)
    number = 0
    while True:
        number += 1
        yield _Writer(chance, number * KEYS_A_FILE).file()


class _Writer:
    """Writes one file: in some form, and each of its rows with some damage."""

    def __init__(self, chance: Random, first_key: int) -> None:
        self._chance = chance
        self._file = DamagedFile(first_key)
        self._delimiter = chance.choice(",,,;\t|")
        self._end = chance.choice(_ENDS)
        self._order = list(LABELS)
        self._dates = chance.choice(["iso"] * 6 + ["dmy", "mdy"])

    def file(self) -> DamagedFile:
        """The file."""
        chance = self._chance
        head = ""
        if chance.random() < 0.6:
            chance.shuffle(self._order)
            if chance.random() < 0.3:
                self._order.insert(chance.randrange(1, 6), "_note")
            title = "Hires of 2021" + self._end if chance.random() < 0.2 else ""
            head = title + self._delimiter.join(self._order) + self._end
        rows = [self._row() for _ in range(chance.randint(2, 8))]
        if chance.random() < 0.2:
            # The key of a row before, with other values.
            rows.append(self._joined(self._cells() | {"id": str(self._file.first_key)}))
        text = head + "".join(row + self._end * chance.choice([1, 1, 1, 2]) for row in rows)
        self._file.content = self._encoded(text)
        if self._dates != "iso":
            self._file.options["dates"] = self._dates
        if chance.random() < 0.1:
            self._file.options["mode"] = "insert"
        return self._file

    def _cells(self) -> dict[str, str]:
        key = self._file.first_key + self._chance.randrange(_KEYS_IN_IT)
        date = {
            "iso": "2021-07-27T16:02:08Z",
            "dmy": "27/07/2021 16:02",
            "mdy": "7/27/2021 4:02 PM",
        }
        cells = (str(key), self._chance.choice(_NAMES), date[self._dates], "2", "3")
        return {
            "_note": self._chance.choice(["", "x", "=x"]),
            **dict(zip(LABELS, cells, strict=True)),
        }

    def _row(self) -> str:
        damages: list[Callable[[], str]] = [
            *[lambda: self._joined(self._cells())] * 6,
            *[self._bad_cells] * 6,
            *[self._rows_inside] * 3,
            *[self._bad_line] * 4,
            self._garbage,
        ]
        return self._chance.choice(damages)()

    def _joined(self, cells: dict[str, str]) -> str:
        return self._delimiter.join(self._quoted(cells[label]) for label in self._order)

    def _quoted(self, cell: str) -> str:
        special = set(cell) & {'"', self._delimiter, "\r", "\n"}
        return (
            '"' + cell.replace('"', '""') + '"' if special or self._chance.random() < 0.1 else cell
        )

    def _bad_cells(self) -> str:
        cells = self._cells()
        for place in self._chance.sample(range(5), self._chance.choice([1, 1, 2, 3])):
            cells[LABELS[place]] = self._chance.choice(_BAD_CELLS[place])
        return self._joined(cells)

    def _rows_inside(self) -> str:
        """A name with lines in it that would be rows."""
        inside = _INJECTED.format(self._file.first_key).replace(",", self._chance.choice(",;\t|"))
        end, quote = self._chance.choice(_ENDS), self._chance.choice(["", "", '"'])
        name = f"x{quote}{end}{inside}{end}{quote}y"
        key = self._chance.choice(["abc", "", str(self._file.first_key)])
        return self._joined(self._cells() | {"id": key, "name": name})

    def _bad_line(self) -> str:
        line = self._joined(self._cells())
        place = self._chance.randrange(len(line) + 1)
        match self._chance.randrange(6):
            case 0 | 1:
                return f'{line[:place]}"{line[place:]}'
            case 2:
                return line + self._delimiter + self._chance.choice(["", "x"])
            case 3:
                return line[:place]
            case 4:
                return line[:place] + _BAD_BYTE + line[place:]
            case _:
                return '"' + line.replace('"', '""')

    def _garbage(self) -> str:
        letters = "ab1'\"=@\t \0é\u00a0\ufeff" + self._delimiter * 3 + _BAD_BYTE
        text = "".join(self._chance.choices(letters, k=self._chance.randint(1, 30)))
        if self._chance.random() < 0.02:
            text += "x" * 70_000
        return text

    def _encoded(self, text: str) -> bytes:
        match self._chance.randrange(8):
            case 0:
                return ("\ufeff" + text).encode("utf-16-le", "surrogatepass")
            case 1:
                self._file.options["encoding"] = "windows-1252"
                return text.replace(_BAD_BYTE, "?").encode("cp1252", "replace")
            case 2:
                return codecs.BOM_UTF8 + text.encode("utf-8", "surrogateescape")
            case _:
                return text.encode("utf-8", "surrogateescape")
