"""Keeps what each platform showed until it is tried again: one JSON file a platform."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.compat.outcomes import TestOutcomes


@dataclass(frozen=True)
class Cost:
    """What a command took from nothing: its time, and what it left on the disk."""

    seconds: int
    megabytes: int


@dataclass(frozen=True)
class Record:
    """What one platform showed, of which commit, and when."""

    name: str
    commit: str
    run_on: str
    system: str
    python: str
    openssl: str
    servers: Sequence[str]
    demo_passed: bool
    demo: Cost
    test: Cost
    outcomes: TestOutcomes


def keep(record: Record, directory: Path) -> None:
    """Put it in the place of what the platform showed before."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False)
    (directory / f"{record.name}.json").write_text(text + "\n", encoding="utf-8")


def kept(directory: Path, names: Sequence[str]) -> list[Record]:
    """What is known of the platforms of these names, in their order."""
    paths = [directory / f"{name}.json" for name in names]
    return [_load(path) for path in paths if path.exists()]


def _load(path: Path) -> Record:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        **{
            **fields,
            "demo": Cost(**fields["demo"]),
            "test": Cost(**fields["test"]),
            "outcomes": TestOutcomes(**fields["outcomes"]),
        }
    )
