"""`python -m bench`: measures the parts that are asked for and writes bench/RESULTS.md."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import describe_machine
from bench.part import Plan
from bench.parts import NAMES, find_part
from bench.report import as_markdown
from bench.results import Record, keep, kept

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure, keep each part's answer as soon as it is there, and print the page."""
    arguments = _parser().parse_args()
    directory: Path = arguments.results
    for name in arguments.only or NAMES:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        keep(_measure(name, arguments.hires, arguments.runs), directory / "results")
        _write_page(directory)
    print((directory / "RESULTS.md").read_text(encoding="utf-8"))


def _measure(name: str, hires: int, runs: int) -> Record:
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as directory:
        plan = Plan(Path(directory), ROOT / "samples", hires, runs)
        answer = find_part(name)(plan)
    return Record(name, describe_machine(), datetime.now(UTC).date(), runs, answer)


def _write_page(directory: Path) -> None:
    # What draws is installed for measuring only: asking for help needs none of it.
    from bench.plot import draw_bars

    records = kept(directory / "results", NAMES)
    for record in records:
        if record.answer.bars:
            draw_bars(record.answer.title, record.answer.bars, directory / f"{record.name}.svg")
    (directory / "RESULTS.md").write_text(as_markdown(records), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--hires", type=int, default=1_000_000, help="rows of a large file")
    parser.add_argument("--runs", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--only", type=_names, help=f"parts, by comma: {', '.join(NAMES)}")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "bench", help="the directory that is written to"
    )
    return parser


def _names(text: str) -> Sequence[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"no part is called {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    main()
