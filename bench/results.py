"""Keeps what each part found until it is measured again: one JSON file a part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

from bench.part import Answer


@dataclass(frozen=True)
class Record:
    """An answer with where, when and with how many runs it was found."""

    name: str
    machine: str
    measured_on: date
    runs: int
    answer: Answer


_AS_JSON = TypeAdapter(Record)


def keep(record: Record, directory: Path) -> None:
    """Put it in the place of what the part found before."""
    directory.mkdir(parents=True, exist_ok=True)
    text = _AS_JSON.dump_json(record, indent=1)
    (directory / f"{record.name}.json").write_bytes(text + b"\n")


def kept(directory: Path, names: Sequence[str]) -> list[Record]:
    """What is known of the parts of these names, in their order."""
    paths = [directory / f"{name}.json" for name in names]
    return [_AS_JSON.validate_json(path.read_bytes()) for path in paths if path.exists()]
