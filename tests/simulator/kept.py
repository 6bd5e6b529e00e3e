"""Failing histories in files: what was shrunk once is run for ever."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.simulator.shrink import Failure
from tests.simulator.workload import Deed, Plan
from tests.simulator.world import Climate

DIRECTORY = Path(__file__).parent / "histories"
"""Histories that once broke a promise."""
SEEDS = Path(__file__).with_name("seeds.txt")
"""Seeds of which `make test` runs each, one a line."""


def write(failure: Failure, directory: Path, name: str, promise: str) -> Path:
    """Keep it under the name; returns the file."""
    document = {
        "promise": promise,
        "plan": asdict(failure.plan),
        "deviations": failure.deviations,
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return path


def read(path: Path) -> Failure:
    """The history that was kept."""
    document = json.loads(path.read_text("utf-8"))
    fields = document["plan"]
    plan = Plan(
        fields["seed"],
        tuple(Deed(**deed) for deed in fields["deeds"]),
        Climate(tuple(fields["climate"]["faults"]), fields["climate"]["chance"]),
        fields["loaders"],
        fields["takes_files"],
        fields.get("in_record", False),
    )
    return Failure(plan, dict(document["deviations"]))


def seeds() -> list[int]:
    """Those of the file."""
    return [int(line) for line in SEEDS.read_text("utf-8").split()]
