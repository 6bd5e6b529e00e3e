"""What a part of the bench is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, Series


@dataclass(frozen=True)
class Plan:
    """How much to measure. `directory` is empty, the part's own, and gone afterwards.

    `hires` is the size of a large file in rows and `runs` how often each contestant has its turn.
    `samples` holds the departments and jobs that the hires name.
    """

    directory: Path
    samples: Path
    hires: int = 1_000_000
    runs: int = 5


@dataclass(frozen=True)
class Answer:
    """What a part found: its figures, and the settings and choices they depend on, as sentences.

    `bars` are drawn, if there are any: a series for each label, all of one unit, more being better.
    """

    title: str
    figures: tuple[Figure, ...]
    conditions: tuple[str, ...] = ()
    bars: Mapping[str, Series] = field(default_factory=dict)
