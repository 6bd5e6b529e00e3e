from datetime import date
from pathlib import Path

from bench.figures import Comparison, Figure, Series, at_most
from bench.part import Answer
from bench.report import as_markdown
from bench.results import Record, keep, kept

FAST = Figure(
    "new hires",
    Series("s", (4.0,) * 5),
    Series("s", (5.0,) * 5),
    Comparison.RATIO,
    at_most(1.0),
)
SLOW = Figure(
    "memory", Series("MiB", (90.0,)), Series("MiB", (20.0,)), Comparison.MORE, at_most(64)
)
BARS = {"Muster": Series("rows/s", (3.0,))}


def record(name: str = "load", runs: int = 5) -> Record:
    answer = Answer("Loading", (FAST, SLOW), ("The buffer pool has 2 GiB.",), BARS)
    return Record(name, "2 cores", date(2026, 11, 24), runs, answer)


def test_a_target_that_is_not_met_is_told_as_such() -> None:
    lines = as_markdown([record()]).splitlines()
    spread = "(4.00 to 4.00)"
    assert f"| new hires | 4.00 s {spread} | 5.00 s (5.00 to 5.00) | 0.800 | ≤ 1 | yes |" in lines
    assert "| memory | 90.0 MiB | 20.0 MiB | 70.0 more | ≤ 64 | **no** |" in lines


def test_a_part_tells_its_machine_conditions_and_picture() -> None:
    page = as_markdown([record()])
    assert "2026-11-24, 2 cores. Runs: 5." in page
    assert "- The buffer pool has 2 GiB." in page
    assert "![Loading](load.svg)" in page


def test_too_few_runs_are_called_a_trial() -> None:
    assert "Runs: 4: a trial" in as_markdown([record(runs=4)])


def test_what_is_kept_comes_back_in_the_order_asked_for(tmp_path: Path) -> None:
    for name in ("load", "memory"):
        keep(record(name), tmp_path / "results")
    assert kept(tmp_path / "results", ["memory", "absent", "load"]) == [
        record("memory"),
        record("load"),
    ]


def test_a_part_measured_again_takes_the_place_of_the_old(tmp_path: Path) -> None:
    keep(record(runs=5), tmp_path)
    keep(record(runs=7), tmp_path)
    assert [each.runs for each in kept(tmp_path, ["load"])] == [7]
