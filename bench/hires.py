"""Makes files of hires of any size, in bounded memory; the same ones every time."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.damage import DAMAGES, OVERLONG, Damage

DEPARTMENTS, JOBS = 14, 120
COLUMNS = ("id", "name", "datetime", "department_id", "job_id")
_DAY_SECONDS = 24 * 3600
_START = datetime(2021, 1, 1, tzinfo=UTC)
_DAYS = [f"{_START + timedelta(days=day):%Y-%m-%d}" for day in range(365)]
_DAMAGED_SHARE = 0.05
# Lines that are too long are rare: a share of their own would be most of the file.
_OVERLONG_EVERY = 5000

Cells = list[str]


def write_hires(path: Path, count: int) -> None:
    """Write `count` good hires of 2021, of the departments and jobs of the samples."""
    _write(path, (",".join(cells) for cells in _hires(count)))


def write_renamed(path: Path, count: int) -> None:
    """The same hires, each with another name."""
    _write(path, (",".join(_renamed(cells)) for cells in _hires(count)))


def write_moved(path: Path, count: int) -> None:
    """The same hires, each with another name, moment, department and job."""
    _write(path, (",".join(_moved(cells)) for cells in _hires(count)))


def write_damaged(path: Path, count: int) -> int:
    """The same hires, of which one in twenty is damaged, in all ways in turns; returns how many."""
    damaged = 0

    def lines() -> Iterator[str]:
        nonlocal damaged
        chance = random.Random(count)
        owner = "1"
        for cells in _hires(count):
            if cells[0] == owner or chance.random() >= _DAMAGED_SHARE:
                owner = cells[0]
                yield ",".join(cells)
            else:
                yield _damage(damaged)(cells, owner)
                damaged += 1

    _write(path, lines())
    return damaged


def _damage(number: int) -> Damage:
    if number % _OVERLONG_EVERY == 0:
        return OVERLONG
    ways: list[Callable[[Cells, str], str]] = list(DAMAGES.values())
    return ways[number % len(ways)]


def _hires(count: int) -> Iterator[Cells]:
    chance = random.Random(count).random
    for id_ in range(1, count + 1):
        minutes, second = divmod(int(chance() * _DAY_SECONDS), 60)
        hour, minute = divmod(minutes, 60)
        yield [
            str(id_),
            f"Hire number {id_}",
            f"{_DAYS[int(chance() * 365)]}T{hour:02}:{minute:02}:{second:02}Z",
            str(1 + int(chance() * DEPARTMENTS)),
            str(1 + int(chance() * JOBS)),
        ]


def _renamed(cells: Cells) -> Cells:
    return [cells[0], f"Renamed {cells[0]}", *cells[2:]]


def _moved(cells: Cells) -> Cells:
    _, _, moment, department, job = cells
    return [
        *_renamed(cells)[:2],
        moment.replace("2021", "2022"),
        str(int(department) % DEPARTMENTS + 1),
        str(int(job) % JOBS + 1),
    ]


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.writelines(f"{line}\r\n" for line in lines)
