"""The table of docs/metrics.md."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/metrics.md"


@dataclass(frozen=True)
class Row:
    """One metric; `served_by` names processes, as their log files are named, or says `all`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    served_by: tuple[str, ...]


def rows() -> list[Row]:
    lines = re.findall(r"^\| (`muster_.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [
        Row(name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), tuple(by.split(", ")))
        for name, kind, labels, by, _what, _counted in cells
    ]


def family_of(name: str, kind: str) -> str:
    """The name under which a registry keeps a metric."""
    return name.removesuffix("_total") if kind == "counter" else name
