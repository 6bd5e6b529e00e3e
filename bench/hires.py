"""Makes a file of hires of any size, in bounded memory."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

DEPARTMENTS, JOBS = 14, 120
_YEAR_SECONDS = 365 * 24 * 3600
_START = datetime(2021, 1, 1, tzinfo=UTC)


def write_hires(path: Path, count: int) -> None:
    """Write `count` good hires of 2021, of the departments and jobs of the samples."""
    chance = random.Random(count)
    with path.open("w", encoding="ascii", newline="") as file:
        for id_ in range(1, count + 1):
            moment = _START + timedelta(seconds=chance.randrange(_YEAR_SECONDS))
            department, job = chance.randint(1, DEPARTMENTS), chance.randint(1, JOBS)
            file.write(
                f"{id_},Hire number {id_},{moment:%Y-%m-%dT%H:%M:%SZ},{department},{job}\r\n"
            )
