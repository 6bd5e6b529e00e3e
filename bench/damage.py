"""Ways to damage a record of hires, each of which costs that record and no other."""

from collections.abc import Callable, Mapping

# A damage makes a line of the five cells and of a key that an earlier, good record has.
Damage = Callable[[list[str], str], str]

# Written as the byte 0xFF, which UTF-8 lacks, by `surrogateescape`.
_BAD_BYTE = "\udcff"


def _with(column: int, text: str) -> Damage:
    return lambda cells, _: ",".join([*cells[:column], text, *cells[column + 1 :]])


OVERLONG: Damage = _with(1, "x" * 70_000)

DAMAGES: Mapping[str, Damage] = {
    "a cell less": lambda cells, _: ",".join(cells[:-1]),
    "a cell more": lambda cells, _: ",".join([*cells, "1"]),
    "no delimiter": lambda cells, _: cells[0] + ",".join(cells[1:]),
    "a blank cell": _with(3, " "),
    "an integer with a fraction": _with(4, "1.5"),
    "a key out of range": _with(0, "2147483648"),
    "a date that is not": _with(2, "2021-02-30T00:00:00Z"),
    "a text for a date": _with(2, "soon"),
    "a name too long": _with(1, "x" * 256),
    "a control character": _with(1, "A\0na"),
    "a quote that opens": _with(1, '"Ana'),
    "a quote that closes": _with(1, 'Ana"'),
    "a quote in the middle": _with(1, 'A"na'),
    "a bad byte": _with(1, f"A{_BAD_BYTE}na"),
    "a department that is not": _with(3, "9999"),
    "a job that is not": _with(4, "9999"),
    "a key taken before": lambda cells, owner: ",".join([owner, "Another", *cells[2:]]),
}
