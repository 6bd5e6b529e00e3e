"""Makes files of hires of any size, in bounded memory; the same ones every time."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.damage import DAMAGES, OVERLONG, Damage

DEPARTMENTS, JOBS = 14, 120
COLUMNS = ("id", "name", "datetime", "department_id", "job_id")
_DAY_SECONDS = 24 * 3600
_START = datetime(2021, 1, 1, tzinfo=UTC)
_DAMAGED_SHARE = 0.05
# Lines that are too long are rare: a share of their own would be most of the file.
_OVERLONG_EVERY = 5000

Cells = list[str]


@dataclass(frozen=True)
class Shape:
    """What the hires of a file are spread over, and whether their ids are in no order."""

    years: int = 1
    departments: int = DEPARTMENTS
    jobs: int = JOBS
    shuffled: bool = False


USUAL = Shape()


def write_hires(path: Path, count: int, shape: Shape = USUAL) -> None:
    """Write `count` good hires from 2021 on, by default of the departments and jobs of the samples.

    Their ids are in memory if they are shuffled.
    """
    _write(path, (",".join(cells) for cells in _hires(count, shape)))


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


def _hires(count: int, shape: Shape = USUAL) -> Iterator[Cells]:
    chance = random.Random(count).random
    days = [f"{_START + timedelta(days=day):%Y-%m-%d}" for day in range(365 * shape.years)]
    ids: Iterable[int] = range(1, count + 1)
    if shape.shuffled:
        ids = random.Random(count).sample(range(1, count + 1), count)
    for id_ in ids:
        minutes, second = divmod(int(chance() * _DAY_SECONDS), 60)
        hour, minute = divmod(minutes, 60)
        yield [
            str(id_),
            f"Hire number {id_}",
            f"{days[int(chance() * len(days))]}T{hour:02}:{minute:02}:{second:02}Z",
            str(1 + int(chance() * shape.departments)),
            str(1 + int(chance() * shape.jobs)),
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
